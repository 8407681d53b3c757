import Datasets
import Glibc
import Tensors

/// In simulated time, whose update comes in which update of an asynchronous server.  Nothing is trained here: a schedule is a
/// function of the seed, the devices and the partition, so that a run that is continued makes it again from the beginning.
///
/// Whenever fewer clients train than may, one of those that neither train nor have given an update since the last update of the
/// server is asked, all with the same probability; clients without samples never are.  A visit takes as long as the client's
/// device and links do; where they are ideal, a random time, exponential with mean 1, whose unit is nothing that is told.  Of
/// visits that end at the same time the one of the lower client comes first.  What comes too late for `most-stale` is lost.
///
/// Work: of the order of log C a visit.  Memory: of the order of clients.
final class VisitSchedule {
  private struct Flight {
    let end: Double
    let client: Int32
    let version: Int

    static func < (a: Flight, b: Flight) -> Bool { (a.end, a.client) < (b.end, b.client) }
  }

  private let options: AsynchronousOptions
  private let devices: DeviceModel
  private let task: FederatedTask
  private let plan: FederatedPlan
  /// Who can be asked, in an order that only past visits decide.
  private var idle: [Int32] = []
  /// Who has given an update since the last update of the server.
  private var waiting: [Int32] = []
  /// A heap by time.
  private var flights: [Flight] = []
  private var version = 0
  private var now = 0.0

  /// A schedule that begins with version 0.  Throws where fewer clients have samples than a buffer needs.
  init(
    _ options: AsynchronousOptions, _ devices: DeviceModel, _ task: FederatedTask, _ plan: FederatedPlan
  ) throws(FederatedError) {
    (self.options, self.devices, self.task, self.plan) = (options, devices, task, plan)
    begin()
    guard idle.count >= options.buffer else {
      throw FederatedError(
        .configuration,
        "federated.asynchronous.buffer is \(options.buffer), each update of another client, and \(idle.count) have samples; "
          + "lower it")
    }
  }

  private func begin() {
    idle = (0..<Int32(task.partition.clients)).filter { task.partition.count(of: Int($0)) > 0 }
    waiting = []
    flights = []
    (version, now) = (0, 0)
  }

  /// The visits that end in an update of the server, counted from 0, in client order, and how long it was waited for; 0 where
  /// devices are ideal.
  func update(_ index: Int) -> (visits: [BufferedVisit], seconds: Double) {
    if index < version { begin() }
    while version < index { _ = next() }
    return next()
  }

  private func next() -> (visits: [BufferedVisit], seconds: Double) {
    let start = now
    var visits: [BufferedVisit] = []
    var counted = 0
    var asked = 0
    while counted < options.buffer {
      while flights.count < options.concurrency, !idle.isEmpty { ask(&asked) }
      let flight = pop()
      now = flight.end
      let isCounted = version - flight.version <= options.mostStale
      counted += isCounted ? 1 : 0
      visits.append(
        BufferedVisit(
          client: flight.client, version: flight.version, isCounted: isCounted,
          samples: task.partition.count(of: Int(flight.client))))
      waiting.append(flight.client)
    }
    idle += waiting
    waiting.removeAll(keepingCapacity: true)
    version += 1
    return (visits.sorted { $0.client < $1.client }, devices.isIdeal ? 0 : now - start)
  }

  private func ask(_ ordinal: inout Int) {
    var stream = stream(UInt64(ordinal), SelectionStream.asking)
    ordinal += 1
    idle.swapAt(stream.below(idle.count), idle.count - 1)
    let client = idle.removeLast()
    push(Flight(end: now + seconds(Int(client)), client: client, version: version))
  }

  private func seconds(_ client: Int) -> Double {
    if devices.isIdeal {
      var stream = stream(UInt64(client), SelectionStream.duration)
      return -log(1 - stream.uniformDouble())
    }
    let epochs = task.local.epochs(client: client, round: version, seed: task.seed)
    return devices.seconds(
      client, samples: epochs * task.partition.count(of: client), bytesDown: plan.downloadBytes.other,
      bytesUp: plan.uploadBytes, seed: task.seed)
  }

  private func stream(_ sample: UInt64, _ layer: UInt64) -> RandomStream {
    RandomStream(seed: task.seed, .selection, epoch: UInt64(version), sample: sample, layer: layer)
  }

  // MARK: The heap

  private func push(_ flight: Flight) {
    flights.append(flight)
    var place = flights.count - 1
    while place > 0, case let parent = (place - 1) / 2, flights[place] < flights[parent] {
      flights.swapAt(place, parent)
      place = parent
    }
  }

  /// Never empty: those who gave the updates of the last buffer can be asked again, and are enough for the next.
  private func pop() -> Flight {
    let first = flights[0]
    flights.swapAt(0, flights.count - 1)
    flights.removeLast()
    var place = 0
    while case let left = 2 * place + 1, left < flights.count {
      let child = left + 1 < flights.count && flights[left + 1] < flights[left] ? left + 1 : left
      guard flights[child] < flights[place] else { break }
      flights.swapAt(place, child)
      place = child
    }
    return first
  }
}
