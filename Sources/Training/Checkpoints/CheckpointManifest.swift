import Foundation

/// What a checkpoint says about itself: `manifest.json`, written last.
///
/// Its final line holds the SHA-256 of everything before that line, so that no flipped bit of it goes unseen; the hashes of the
/// other files stand in it.
public struct CheckpointManifest: Codable, Sendable, Hashable {
  /// A file of the checkpoint.
  public struct File: Codable, Sendable, Hashable {
    /// Its name in the directory.
    public let name: String
    /// Its size.
    public let bytes: Int
    /// SHA-256 of its bytes, in hexadecimal.
    public let sha256: String
  }

  /// The version of the layout.  2: `model.safetensors` holds parameters and states whole, under PyTorch's names; what else is
  /// remembered lies in pieces, in as many files as ranks wrote.  1: everything is whole, in `optimizer.safetensors` and
  /// `strategy.safetensors`, without `pieces`.
  public let format: Int
  /// What the model is called.
  public let model: String
  /// The seed of the run.
  public let seed: Int
  /// How far the training was.
  public let progress: TrainingProgress
  /// SHA-256 of the parameter block.
  public let parametersDigest: String
  /// The resolved configuration, as YAML.
  public let configuration: String
  /// All other files.
  public let files: [File]
  /// Where the tensors beside the model's lie; nil in format 1.
  public let pieces: [CheckpointPiece]?

  /// The version this program writes.
  public static let currentFormat = 2
  /// The versions it reads.
  static let knownFormats = 1...currentFormat
  /// The name of the file.
  public static let fileName = "manifest.json"

  enum CodingKeys: String, CodingKey {
    case format, model, seed, progress, configuration, files, pieces
    case parametersDigest = "parameters_digest"
  }

  /// The text of the file.
  var text: String {
    let object: JSONObject = [
      "format": .integer(format), "model": .text(model), "seed": .integer(seed), "progress": .object(progress.object),
      "parameters_digest": .text(parametersDigest), "configuration": .text(configuration),
      "files": .list(
        files.map { ["name": .text($0.name), "bytes": .integer($0.bytes), "sha256": .text($0.sha256)] }),
      "pieces": .list((pieces ?? []).map { .object($0.object) }),
    ]
    // The closing "\n}" makes room for the last line.
    let body = object.lines.dropLast(2) + ",\n"
    return body + CheckpointManifest.seal(of: String(body))
  }

  private static func seal(of body: String) -> String { "  \"manifest_sha256\": \"\(Digest.text(body))\"\n}\n" }

  /// Reads and checks a manifest; `path` is for messages.
  static func read(_ path: String) throws(CheckpointError) -> CheckpointManifest {
    guard Files.isFile(path) else { throw CheckpointError(.missing, "\(path) is not there: no whole checkpoint") }
    func damaged(_ why: String) -> CheckpointError { CheckpointError(.damaged, "\(path) is damaged: \(why)") }
    guard let text = Files.text(of: path, limit: 1 << 28) else { throw damaged("not a text") }
    // The seal has a fixed length.
    let sealLength = seal(of: "").utf8.count
    guard text.utf8.count > sealLength,
      let cut = text.utf8.index(text.endIndex, offsetBy: -sealLength).samePosition(in: text)
    else { throw damaged("it is cut off") }
    guard text[cut...].utf8.elementsEqual(seal(of: String(text[..<cut])).utf8) else {
      throw damaged("its checksum is wrong")
    }
    let manifest: CheckpointManifest
    do {
      struct Version: Codable { let format: Int }
      let data = Data(text.utf8)
      let version = try JSONDecoder().decode(Version.self, from: data).format
      guard knownFormats.contains(version) else {
        throw CheckpointError(
          .unsuitable,
          "\(path) has format version \(version), this program reads up to \(currentFormat); use the one that wrote it")
      }
      manifest = try JSONDecoder().decode(CheckpointManifest.self, from: data)
    } catch let error as CheckpointError {
      throw error
    } catch {
      throw damaged("it is no manifest")
    }
    guard manifest.progress.isSound, manifest.files.contains(where: { $0.name == Checkpoint.modelFile }),
      Set(manifest.files.map(\.name)).count == manifest.files.count,
      manifest.files.allSatisfy({ isPlain($0.name) && $0.bytes >= 0 }),
      (manifest.pieces == nil) == (manifest.format == 1)
    else { throw damaged("what it says cannot be") }
    return manifest
  }

  /// Whether a name is one of a file in the directory itself.
  static func isPlain(_ name: String) -> Bool {
    !name.isEmpty && !name.hasPrefix(".") && name != fileName
      && name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
          true
        default: false
        }
      }
  }
}
