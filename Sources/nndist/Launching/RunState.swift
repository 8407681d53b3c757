import Foundation
import Training

/// How far a run has come, as its directory shows it from outside.
struct RunState {
  /// Steps that the metrics speak of, or the newest checkpoint where that is later.
  let step: Int
  /// Steps of the newest checkpoint that is there in full; 0 without one.
  let checkpoint: Int
  /// Whether rank 0 has made it a run.
  let hasBegun: Bool
  /// Changes with everything that ranks write.
  private let signs: [Sign]

  private struct Sign: Equatable {
    let path: String
    let bytes: Int
    let moment: timespec

    static func == (left: Sign, right: Sign) -> Bool {
      left.path == right.path && left.bytes == right.bytes && left.moment.tv_sec == right.moment.tv_sec
        && left.moment.tv_nsec == right.moment.tv_nsec
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
    step = max(checkpoint, RunState.lastStep(of: "\(run)/metrics.jsonl") ?? 0)
    hasBegun = ["config.yaml", "log.txt", "checkpoints"].contains {
      FileManager.default.fileExists(atPath: "\(run)/\($0)")
    }
    // A large checkpoint takes its time: the files that are being written are looked at too.
    let files = names.flatMap { name in
      RunState.names(in: "\(checkpoints)/\(name)").map { "\(checkpoints)/\(name)/\($0)" }
    }
    signs = (["\(run)/metrics.jsonl", "\(run)/log.txt", checkpoints] + files).compactMap { path in
      var information = stat()
      guard stat(path, &information) == 0 else { return nil }
      return Sign(path: path, bytes: Int(information.st_size), moment: information.st_mtim)
    }
  }

  /// Whether nothing was written between two looks.
  func isAsSilent(as other: RunState) -> Bool { signs == other.signs }

  private static func names(in folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }

  /// The `step` of the last whole line of `metrics.jsonl` that has one.
  private static func lastStep(of path: String) -> Int? {
    guard let file = FileHandle(forReadingAtPath: path), let end = try? file.seekToEnd() else { return nil }
    try? file.seek(toOffset: end > 1 << 16 ? end - 1 << 16 : 0)
    let text = String(decoding: (try? file.readToEnd()) ?? Data(), as: UTF8.self)
    // Behind the last line end lies what is still being written.
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().reversed() {
      if case .object(let object)? = JSONValue(parsing: String(line)), case .integer(let step)? = object["step"] {
        return step
      }
    }
    return nil
  }
}
