import Foundation

/// The digests that a run has recorded, by step, those of a federation by round: in `metrics.jsonl`, else in a checkpoint's manifest, else in its result.
public struct DigestLedger: Sendable {
  /// What was recorded about a step or round.
  public struct Entry: Sendable, Hashable {
    /// SHA-256 of the parameters.
    public let digest: String
    /// Where it stands: the file, below the run directory.
    public let source: String
  }

  /// What was recorded, by steps or rounds made.
  public private(set) var entries: [Int: Entry] = [:]

  /// Reads what a run has recorded; it may be going on.
  public init(of run: String) {
    if case .object(let result)? = Files.text(of: "\(run)/result.json").flatMap({ JSONValue(parsing: $0) }),
      case .integer(let step)? = result["rounds"] ?? result["steps"],
      case .text(let digest)? = result["parameters_digest"]
    {
      entries[step] = Entry(digest: digest, source: "result.json")
    }
    let checkpoints = Checkpoints("\(run)/checkpoints")
    for step in checkpoints.steps {
      let path = "\(checkpoints.path(step))/\(CheckpointManifest.fileName)"
      guard let manifest = try? CheckpointManifest.read(path) else { continue }
      entries[step] = Entry(
        digest: manifest.parametersDigest, source: "checkpoints/step-\(step)/\(CheckpointManifest.fileName)")
    }
    let metrics = Files.text(of: "\(run)/metrics.jsonl") ?? ""
    // The last line may be half written.
    for line in metrics.utf8[..<(metrics.utf8.lastIndex(of: 0x0A) ?? metrics.startIndex)].split(separator: 0x0A) {
      let text = Substring(line)
      guard text.contains("\"digest\""), case .object(let object)? = JSONValue(parsing: String(text)),
        case .integer(let step)? = object["round"] ?? object["step"], case .text(let digest)? = object["digest"]
      else { continue }
      entries[step] = Entry(digest: digest, source: "metrics.jsonl")
    }
  }
}
