import Glibc

/// When the devices of clients were seen, and how fast they were.
///
/// Immutable.  Takes 16 bytes an interval and 20 a client; a question costs two binary searches.
final class DeviceTrace: Sendable {
  /// One observation of a file.
  struct Visit {
    /// Where it stands, for messages.
    let line: Int
    let client: Int
    /// Seconds.
    let start: Double
    /// Seconds.
    let end: Double
    /// Samples per second.
    let speed: Double?
  }

  /// Clients with intervals, ascending.
  private let clients: [Int32]
  /// Where the intervals of each begin, and where the last end.
  private let firsts: [Int]
  private let starts: [Double]
  private let ends: [Double]
  /// Samples per second of each; NaN where the trace does not say.
  private let speeds: [Double]
  /// When the trace begins anew: its last end.
  private let period: Double

  /// Why visits contradict each other.
  struct Contradiction: Error {
    let line: Int
    let message: String
  }

  /// Sorts visits by client and time.  Throws where those of a client overlap or differ in speed.
  init(_ visits: [Visit]) throws(Contradiction) {
    let sorted = visits.sorted { ($0.client, $0.start, $0.line) < ($1.client, $1.start, $1.line) }
    var clients: [Int32] = []
    var firsts: [Int] = []
    var speeds: [Double] = []
    for (index, visit) in sorted.enumerated() {
      if index > 0, case let before = sorted[index - 1], before.client == visit.client {
        if before.end > visit.start {
          throw Contradiction(
            line: visit.line,
            message: "client \(visit.client) is there already from line \(before.line); join overlapping intervals")
        }
      } else {
        clients.append(Int32(visit.client))
        firsts.append(index)
        speeds.append(.nan)
      }
      guard let speed = visit.speed, let known = speeds.last else { continue }
      if !known.isNaN && known != speed {
        throw Contradiction(
          line: visit.line,
          message: "client \(visit.client) has a speed of \(speed) and of \(known) elsewhere; give it one")
      }
      speeds[speeds.count - 1] = speed
    }
    self.clients = clients
    self.firsts = firsts + [sorted.count]
    starts = sorted.map(\.start)
    ends = sorted.map(\.end)
    self.speeds = speeds
    period = ends.max() ?? 1
  }

  /// Whether a client is there at a time; after its end the trace begins anew.  Who has no line never is.
  func holds(_ client: Int, at seconds: Double) -> Bool {
    guard let index = index(of: client) else { return false }
    let time = fmod(seconds, period)
    // The last interval that begins no later.
    var (lower, upper) = (firsts[index], firsts[index + 1])
    while lower < upper {
      let middle = (lower + upper) / 2
      if starts[middle] <= time { lower = middle + 1 } else { upper = middle }
    }
    return lower > firsts[index] && time < ends[lower - 1]
  }

  /// Samples per second of a client; nil where the trace does not say.
  func speed(_ client: Int) -> Double? {
    guard let index = index(of: client), !speeds[index].isNaN else { return nil }
    return speeds[index]
  }

  private func index(of client: Int) -> Int? {
    var (lower, upper) = (0, clients.count)
    while lower < upper {
      let middle = (lower + upper) / 2
      if Int(clients[middle]) < client { lower = middle + 1 } else { upper = middle }
    }
    return lower < clients.count && Int(clients[lower]) == client ? lower : nil
  }
}
