import Foundation
import Training

/// How far a run has come, as its directory shows it from outside.
struct RunState {
  /// Steps of the newest checkpoint that is there in full; 0 without one.
  let checkpoint: Int
  /// Whether rank 0 has made it a run.
  let hasBegun: Bool
  /// The last step that the metrics speak of.
  private let lastStep: Int
  private let metrics: Sign?
  /// Changes with everything that ranks write.
  private let signs: [Sign]

  private struct Sign: Equatable {
    let path: String
    let bytes: Int
    /// Nanoseconds.
    let moment: Int

    init?(_ path: String) {
      var information = stat()
      guard stat(path, &information) == 0 else { return nil }
      self.path = path
      bytes = Int(information.st_size)
      moment = information.st_mtim.tv_sec * 1_000_000_000 + information.st_mtim.tv_nsec
    }
  }

  /// Looks at a run directory, which need not be there yet.
  init(_ run: String) {
    let checkpoints = "\(run)/checkpoints"
    let names = RunState.names(in: checkpoints)
    let newest = names.compactMap { name -> Int? in
      guard name.hasPrefix("step-"), let step = Int(name.dropFirst(5)), "step-\(step)" == name else { return nil }
      return FileManager.default.fileExists(atPath: "\(checkpoints)/\(name)/manifest.json") ? step : nil
    }.max()
    checkpoint = newest ?? 0
    lastStep = RunState.lastStep(of: "\(run)/metrics.jsonl") ?? 0
    metrics = Sign("\(run)/metrics.jsonl")
    hasBegun = ["config.yaml", "log.txt", "checkpoints"].contains {
      FileManager.default.fileExists(atPath: "\(run)/\($0)")
    }
    // A large checkpoint takes its time: the files that are being written are looked at too.
    let files = names.flatMap { name in
      RunState.names(in: "\(checkpoints)/\(name)").map { "\(checkpoints)/\(name)/\($0)" }
    }
    signs = ([metrics] + (["\(run)/log.txt", checkpoints] + files).map { Sign($0) }).compactMap { $0 }
  }

  /// Whether nothing was written between two looks.
  func isAsSilent(as other: RunState) -> Bool { signs == other.signs }

  /// The steps that are made, for an attempt that found the run in another state: until it has written metrics of its own,
  /// those that are there may speak of steps that it has to make again.
  func step(since before: RunState) -> Int { metrics == before.metrics ? checkpoint : max(checkpoint, lastStep) }

  private static func names(in folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }

  /// The `step`, or `round`, of the last whole line of `metrics.jsonl` that has one.
  private static func lastStep(of path: String) -> Int? {
    guard let file = FileHandle(forReadingAtPath: path), let end = try? file.seekToEnd() else { return nil }
    try? file.seek(toOffset: end > 1 << 16 ? end - 1 << 16 : 0)
    let text = String(decoding: (try? file.readToEnd()) ?? Data(), as: UTF8.self)
    // Behind the last line end lies what is still being written.
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().reversed() {
      if case .object(let object)? = JSONValue(parsing: String(line)),
        case .integer(let step)? = object["step"] ?? object["round"]
      {
        return step
      }
    }
    return nil
  }
}
