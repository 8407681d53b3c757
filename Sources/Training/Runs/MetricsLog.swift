import Foundation
import Glibc

/// One line of `metrics.jsonl`.  What is nil is left out; what is not finite is null.
public struct Metrics: Sendable, Hashable {
  /// Optimizer steps made.
  public var step: Int?
  /// Federated rounds made.
  public var round: Int?
  /// Epochs made.
  public var epoch: Int?
  /// Mean loss since the last line.
  public var loss: Double?
  /// Share of right answers, 0…1.
  public var accuracy: Double?
  /// The rate of the last step.
  public var learningRate: Double?
  /// Seconds since the run began.
  public var seconds: Double?
  /// Payload a rank sent, in bytes.
  public var bytesSent: Int?
  /// Messages a rank sent.
  public var messagesSent: Int?
  /// What the transport moved for a rank, in bytes.
  public var wireBytes: Int?
  /// What clients uploaded, in bytes.
  public var bytesUp: Int?
  /// What clients downloaded, in bytes.
  public var bytesDown: Int?
  /// Resident memory, in bytes.
  public var memoryBytes: Int?
  /// SHA-256 of the parameters.
  public var digest: String?
  /// Further keys, after the known ones.
  public var others = JSONObject()

  /// A line that says nothing yet.
  public init() {}

  /// The line as an object; the order of keys is fixed.
  public var object: JSONObject {
    var object = JSONObject()
    object["step"] = step.map { .integer($0) }
    object["round"] = round.map { .integer($0) }
    object["epoch"] = epoch.map { .integer($0) }
    object["loss"] = loss.map { .number($0) }
    object["accuracy"] = accuracy.map { .number($0) }
    object["learning_rate"] = learningRate.map { .number($0) }
    object["seconds"] = seconds.map { .number($0) }
    object["bytes_sent"] = bytesSent.map { .integer($0) }
    object["messages_sent"] = messagesSent.map { .integer($0) }
    object["wire_bytes"] = wireBytes.map { .integer($0) }
    object["bytes_up"] = bytesUp.map { .integer($0) }
    object["bytes_down"] = bytesDown.map { .integer($0) }
    object["memory_bytes"] = memoryBytes.map { .integer($0) }
    object["digest"] = digest.map { .text($0) }
    object.merge(others)
    return object
  }
}

/// Appends to `metrics.jsonl`, a JSON object a line; each line has reached the system when `write` returns.
public final class MetricsLog: Sendable {
  /// What lines are counted by.
  public enum Counter: Sendable, Hashable {
    /// Optimizer steps.
    case step(Int)
    /// Federated rounds.
    case round(Int)

    fileprivate var key: String {
      switch self {
      case .step: "step"
      case .round: "round"
      }
    }

    fileprivate var value: Int {
      switch self {
      case .step(let value), .round(let value): value
      }
    }
  }

  /// Where it lies.
  public let path: String
  private let descriptor: Int32
  private let faults: WriteFaults?

  /// Opens the file to append to.  A run that goes on from a checkpoint gives where that stands: lines beyond it are
  /// dropped, because they will be written again, and so is a last line that was cut off.  Nil begins the file anew.
  /// `faults` may let writes fail.
  public init(
    _ path: String, resumingAfter counter: Counter? = nil, _ faults: WriteFaults? = nil
  ) throws(RunError) {
    self.path = path
    self.faults = faults
    if let counter, let old = Files.text(of: path) {
      let kept = MetricsLog.lines(of: old, upTo: counter)
      if old != kept {
        do throws(SystemFailure) { try Files.write(kept, to: path, faults) } catch { throw RunError(error) }
      }
    }
    let start = counter == nil ? O_TRUNC : 0
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | start, 0o666)
    guard descriptor >= 0 else { throw RunError(SystemFailure("write", path)) }
  }

  deinit { close(descriptor) }

  /// Appends a line.  When the disk refuses, the file keeps whole lines only.
  public func write(_ metrics: Metrics) throws(RunError) { try write(metrics.object) }

  /// Appends a line of any keys, in the same way.
  public func write(_ object: JSONObject) throws(RunError) {
    let end = lseek(descriptor, 0, SEEK_END)
    do throws(SystemFailure) {
      try faults?.check(path)
      try Files.write(object.text + "\n", to: descriptor, path)
    } catch {
      _ = ftruncate(descriptor, end)
      throw RunError(error)
    }
  }

  /// The whole lines that are not beyond a step or round.
  private static func lines(of text: String, upTo counter: Counter) -> String {
    var kept = ""
    var rest = text[...]
    // Without its line end a line may be cut off, even where it happens to be an object.
    while let end = rest.utf8.firstIndex(of: 0x0A) {
      let line = rest[..<end]
      rest = rest[rest.utf8.index(after: end)...]
      guard let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else { continue }
      if let value = object[counter.key] as? Int, value > counter.value { continue }
      kept += line + "\n"
    }
    return kept
  }
}
