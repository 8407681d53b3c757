import Configuration
import Datasets
import Tensors

/// What clients' devices are like in simulated time: when they are there, whether they come back, and how long they take.
///
/// Everything is a pure function of the seed, the client and the round, so that neither ranks nor threads matter.  Without
/// any key devices are ideal: always there, and no time passes.
public struct DeviceModel: Sendable {
  /// Clients selected for each that is wanted, at least 1.
  public var overSelection: Double
  /// Seconds after which a round takes no more updates; nil waits for all.
  public var deadline: Double?

  private let availability: Availability
  /// Part of the selected clients whose update never arrives.
  private let dropout: Double
  /// Samples per second; nil without a limit.
  private let speed: DeviceQuantity?
  /// Bytes per second.
  private let up: DeviceQuantity?
  private let down: DeviceQuantity?
  /// Seconds of a visit beside all else.
  private let latency: Double
  private let file: String?
  private var trace: DeviceTrace?

  /// Devices that are always there and take no time.
  public static let ideal = DeviceModel()

  private init() {
    (overSelection, deadline, availability, dropout) = (1, nil, .always, 0)
    (speed, up, down, latency, file) = (nil, nil, nil, 0, nil)
  }

  /// Reads the keys of the section `devices`; files are read by ``loaded(clients:)``.
  public init(options: inout Options) throws(ConfigurationError) {
    file = try options.optionalText(
      "trace",
      "file of lines with client, start, end and perhaps speed, in seconds and samples per second: CSV or JSON lines")
    availability = try Availability.read(&options, hasTrace: file != nil)
    dropout = try options.number(
      "dropout", default: 0, in: .fractionBelowOne, "part of the selected clients that vanish after training")
    speed = try DeviceQuantity.read(
      "speed", unit: "samples per second", "how fast clients train: a number, or how it is distributed", &options)
    (up, down) = try options.section("bandwidth", "how fast clients' connections are") {
      (options) throws(ConfigurationError) -> (DeviceQuantity?, DeviceQuantity?) in
      (
        try DeviceQuantity.read(
          "up", unit: "bytes per second", "uploads: a number, or how it is distributed", &options),
        try DeviceQuantity.read(
          "down", unit: "bytes per second", "downloads: a number, or how it is distributed", &options)
      )
    }
    latency = try options.number(
      "latency", default: 0, in: .nonNegative, unit: "seconds", "added to the time of every client's visit")
    deadline = try options.optionalNumber(
      "deadline", in: .positive, unit: "seconds", "after which a round goes on without those who are not back")
    overSelection = try options.number(
      "over-selection", default: 1, in: .between(1, 1_000),
      "clients selected for each of the cohort; the first to be back count")
  }

  /// The model with its trace read, where it has one.  Throws what is wrong with the file, naming the line.
  public func loaded(clients: Int) throws(DataError) -> DeviceModel {
    guard let file else { return self }
    var model = self
    model.trace = try DeviceTrace.load(file, clients: clients)
    return model
  }

  /// Whether everyone is always there, comes back, and takes no time.
  public var isIdeal: Bool { isAlwaysThere && !takesTime }

  /// Whether everyone is always there and comes back, however long that takes.
  var isAlwaysThere: Bool { availability == .always && dropout == 0 && deadline == nil && overSelection == 1 }

  private var takesTime: Bool { speed != nil || up != nil || down != nil || latency > 0 || file != nil }

  /// Clients to select where so many are wanted: ⌈overSelection · wanted⌉, at most all.
  public func selected(wanted: Int, of clients: Int) -> Int {
    // 1.1 · 100 is a little more than 110 in binary.
    min(clients, max(wanted, Int((overSelection * Double(wanted) * (1 - 1e-12)).rounded(.up))))
  }

  /// Whether a client can be asked at a simulated time, for a round.
  public func isAvailable(_ client: Int, at seconds: Double, round: Int, seed: UInt64) -> Bool {
    availability.holds(client, at: seconds, round: round, seed: seed, trace)
  }

  /// Whether a client that was selected for a round trains and then is never heard of again.
  public func vanishes(_ client: Int, round: Int, seed: UInt64) -> Bool {
    if dropout == 0 { return false }
    var random = RandomStream(
      seed: seed, .selection, epoch: UInt64(bitPattern: Int64(round)), sample: UInt64(client),
      layer: SelectionStream.dropout)
    return random.uniformDouble() < dropout
  }

  /// Simulated seconds of a visit: latency, download, training on so many samples (times epochs), upload.
  public func seconds(_ client: Int, samples: Int, bytesDown: Int, bytesUp: Int, seed: UInt64) -> Double {
    var seconds = latency
    if let down { seconds += Double(bytesDown) / down.value(client, seed: seed, SelectionStream.bandwidthDown) }
    if let known = trace?.speed(client) {
      seconds += Double(samples) / known
    } else if let speed {
      seconds += Double(samples) / speed.value(client, seed: seed, SelectionStream.speed)
    }
    if let up { seconds += Double(bytesUp) / up.value(client, seed: seed, SelectionStream.bandwidthUp) }
    return seconds
  }

  /// Replaces `accepted` by the places in the cohort of those whose update counts, in cohort order, and returns the simulated
  /// seconds that the round takes.
  ///
  /// The first `wanted` to finish within the deadline count; of equal durations those that come first in the cohort.  A client
  /// that vanished has the duration ∞.  The round ends with the last that counts; where somebody who is still wanted does not
  /// come, it ends with the deadline, or without one with the last that came.  Work: n·log n; nothing is allocated once
  /// `accepted` has grown.
  public func finish(_ durations: [Double], wanted: Int, into accepted: inout [Int32]) -> Double {
    precondition(durations.allSatisfy { $0 >= 0 }, "a duration that is no time")
    let limit = min(deadline ?? .greatestFiniteMagnitude, .greatestFiniteMagnitude)
    accepted.removeAll(keepingCapacity: true)
    for (place, duration) in durations.enumerated() where duration <= limit { accepted.append(Int32(place)) }
    let isShort = accepted.count < min(wanted, durations.count)
    if accepted.count > wanted {
      accepted.withUnsafeMutableBufferPointer { places in
        places.heapSort { (durations[Int($0)], $0) < (durations[Int($1)], $1) }
      }
      accepted.removeLast(accepted.count - wanted)
      accepted.withUnsafeMutableBufferPointer { places in places.heapSort { $0 < $1 } }
    }
    if isShort, let deadline { return deadline }
    return accepted.reduce(0) { max($0, durations[Int($1)]) }
  }
}
