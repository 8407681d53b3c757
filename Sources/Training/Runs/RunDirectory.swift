import Configuration
import Glibc

/// Where a run keeps what it leaves behind: `config.yaml`, `log.txt`, `metrics.jsonl`, `checkpoints/`, `result.json`.
///
/// Rank 0 opens it and holds its lock as long as this object lives.  Whole files appear whole or not at all.
/// An empty folder counts as a new run; a folder that holds anything but a run is never taken.
public final class RunDirectory: Sendable {
  /// Its path, as it was given or made up.
  public let path: String
  /// Whether it held a run before.
  public let isContinued: Bool
  /// Its log.
  public let log: RunLog
  /// Which of the run's files are to fail when they are written; nil for none.
  let faults: WriteFaults?
  private let lock: RunLock

  private static let lockName = "lock"
  /// Where runs lie that were not told where.
  public static let root = "runs"

  /// Opens the directory of a run.
  ///
  /// - `path`: what `--run` names; nil makes `runs/<name>-<time>`, with `-2`, `-3` … behind it where that exists.
  /// - `resume`: whether an existing run goes on; without it one is a configuration error.  A path that does not exist yet is
  ///   made in either case.
  /// - `faults`: which of its files are to fail when they are written.
  /// - `patience`: how long to wait for another process that holds the lock; then it is refused.
  ///
  /// Errors: `configuration` for a run that exists or a folder that is none, `usage` for resuming without a path, `refused` for
  /// everything the system refuses and for the lock.
  public init(
    name: String, path given: String? = nil, resume: Bool = false, under root: String = RunDirectory.root,
    faults: WriteFaults? = nil, patience: Duration = .seconds(10)
  ) throws(RunError) {
    self.faults = faults
    guard given != nil || !resume else { throw RunError(.usage, "--resume needs --run DIR to say which run goes on") }
    do {
      if let given {
        path = given.count > 1 && given.hasSuffix("/") ? String(given.dropLast()) : given
        if let kind = Files.kind(of: path), kind != S_IFDIR {
          throw RunError(.configuration, "--run \(path) is a file; name a folder that a run may have for itself")
        }
        _ = try RunDirectory.holdsRun(path, resume: resume)
        try Files.makeFolders(path)
      } else {
        path = try RunDirectory.make(RunDirectory.folderName(name), under: root)
      }
    } catch {
      throw RunError(error)
    }
    lock = try RunLock("\(path)/\(RunDirectory.lockName)", patience: patience)
    // Looked at again under the lock: another starter may have been first.
    isContinued = try RunDirectory.holdsRun(path, resume: resume)
    do throws(SystemFailure) { try Files.makeFolders("\(path)/checkpoints") } catch { throw RunError(error) }
    log = try RunLog("\(path)/log.txt")
  }
}

extension RunDirectory {
  /// The folder of checkpoints.
  public var checkpointsPath: String { "\(path)/checkpoints" }

  /// Writes the resolved configuration to `config.yaml`.
  public func write(configuration: Node) throws(RunError) {
    try write(configuration.yaml(), to: "config.yaml")
  }

  /// The configuration it was started with, nil when there is none.
  public func configuration() throws(RunError) -> Node? {
    guard Files.isFile("\(path)/config.yaml") else { return nil }
    do { return try Node.load("\(path)/config.yaml") } catch { throw RunError(error) }
  }

  /// The logical shards of a run that was begun in a folder; nil where none was.
  public static func shards(at path: String) -> Int? {
    guard let node = try? Node.load("\(path)/config.yaml"), let shards = node["training"]?["shards"] else { return nil }
    return Int(shards.yamlOnOneLine())
  }

  /// Opens `metrics.jsonl`, without the lines beyond the step or round that the run goes on from; nil begins anew.
  public func metrics(resumingAfter counter: MetricsLog.Counter? = nil) throws(RunError) -> MetricsLog {
    try MetricsLog("\(path)/metrics.jsonl", resumingAfter: counter, faults)
  }

  /// Where the ledger of a federation's clients lies in a run.
  static func ledger(of run: String) -> String { "\(run)/clients.jsonl" }

  /// Opens `clients.jsonl`, the ledger of a federation's clients, in the same way.
  public func clients(resumingAfter counter: MetricsLog.Counter? = nil) throws(RunError) -> MetricsLog {
    try MetricsLog(RunDirectory.ledger(of: path), resumingAfter: counter, faults)
  }

  /// Marks the run as finished: the object is what `--resume` prints from then on.
  public func finish(_ result: JSONObject) throws(RunError) {
    try write(result.text + "\n", to: "result.json")
  }

  /// The final object of a finished run as one line; nil while it is unfinished.
  public var result: String? {
    guard let text = Files.text(of: "\(path)/result.json"), text.hasSuffix("\n") else { return nil }
    return String(text.dropLast())
  }

  /// Takes back that the run is finished, for a run that goes on with more epochs.
  public func reopen() { unlink("\(path)/result.json") }

  /// Writes a file of the run's own, whole or not at all.
  public func write(_ text: String, to name: String) throws(RunError) {
    do throws(SystemFailure) { try Files.write(text, to: "\(path)/\(name)", faults) } catch { throw RunError(error) }
  }

  /// Makes the folder `runs/<name>-<time>` of a run that is to come, for who starts it and has to know where it will lie.
  public static func reserve(name: String) throws(RunError) -> String {
    do throws(SystemFailure) { return try make(folderName(name), under: root) } catch { throw RunError(error) }
  }

  /// Any name as that of a folder: what is no letter, digit, dot, dash or underscore becomes a dash.
  static func folderName(_ name: String) -> String {
    let safe = name.unicodeScalars.map { scalar -> Character in
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", ".", "-", "_": Character(scalar)
      default: "-"
      }
    }
    let text = String(String(safe).prefix(100))
    return text.isEmpty || text.hasPrefix(".") ? "run" + text : text
  }

  /// Makes `<root>/<name>-<time>`; `mkdir` decides between starters of the same second.
  private static func make(_ name: String, under root: String) throws(SystemFailure) -> String {
    try Files.makeFolders(root)
    let base = "\(root)/\(name)-\(Moment.now.compact)"
    var path = base
    var count = 1
    while mkdir(path, 0o777) != 0 {
      guard errno == EEXIST else { throw SystemFailure("make folder", path) }
      count += 1
      path = "\(base)-\(count)"
    }
    return path
  }

  /// Whether a folder holds a run; one that may not be touched, or holds anything else, is an error.
  private static func holdsRun(_ path: String, resume: Bool) throws(RunError) -> Bool {
    guard let first = Files.names(in: path).first(where: { $0 != lockName }) else { return false }
    guard ["config.yaml", "checkpoints", "log.txt"].contains(where: { Files.kind(of: "\(path)/\($0)") != nil }) else {
      throw RunError(
        .configuration, "--run \(path) holds \(first) and no run; name a folder that a run may have for itself")
    }
    guard resume else {
      throw RunError(
        .configuration, "--run \(path) holds a run already; add --resume to go on with it, or name another folder")
    }
    return true
  }
}
