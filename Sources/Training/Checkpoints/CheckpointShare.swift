import Communication
import Datasets
import Foundation
import Tensors

/// What one writer has put into a checkpoint: its files, and the pieces in them.
public struct CheckpointShare: Codable, Sendable {
  /// The files it wrote.
  let files: [CheckpointManifest.File]
  /// What lies in them beside the model.
  let pieces: [CheckpointPiece]
  /// SHA-256 of the parameters, from the writer of the model.
  let parametersDigest: String?

  /// That of a writer without anything to write.
  static let empty = CheckpointShare(files: [], pieces: [], parametersDigest: nil)

  /// Everybody's shares, in the order of ranks.  Collective.
  static func gather(
    _ mine: CheckpointShare, _ communicator: any Communicator
  ) throws(RunError) -> [CheckpointShare] {
    do {
      let text = try JSONEncoder().encode(mine)
      return try Agreement.exchange([UInt8](text), communicator).map { bytes in
        try JSONDecoder().decode(CheckpointShare.self, from: Data(bytes))
      }
    } catch { throw RunError(error) }
  }

  /// Writes one rank's share into a folder: the model, from the rank that is given it, and parts of other tensors.  The files
  /// have reached the disk when this returns.
  ///
  /// `results` is shared state that the digest of the parameters goes on with; `file` names the file of parts, without its
  /// ending; `faults` may let writes fail.
  static func write(
    _ parts: [CheckpointPart], model: ParameterStore?, then results: [Storage] = [], file: String,
    of head: Checkpoints.Head, to folder: String, _ faults: WriteFaults?
  ) throws(CheckpointError) -> CheckpointShare {
    var files: [CheckpointManifest.File] = []
    func write(_ name: String, _ tensors: [SafetensorsWriter.Part]) throws(CheckpointError) {
      do throws(SystemFailure) { try faults?.check("\(folder)/\(name)", checkpoint: head.progress.step) } catch {
        throw CheckpointError(.unwritable, error.message)
      }
      let written = try checkpointErrors { () throws(DataError) in
        try SafetensorsWriter.write(
          "\(folder)/\(name)", metadata: head.metadata, tensors: tensors, durable: true, hashing: true,
          isPrivate: tensors.contains { CheckpointPart.secrets.contains($0.name) })
      }
      files.append(CheckpointManifest.File(name: name, bytes: written.bytes, sha256: written.sha256 ?? ""))
    }
    if let model { try write(Checkpoint.modelFile, Weights.parts(of: model)) }
    let name = "\(file).safetensors"
    let pieces = parts.map { CheckpointPiece($0, in: name) }
    if !parts.isEmpty {
      try write(
        name,
        zip(parts, pieces).map { part, piece in
          SafetensorsWriter.Part(
            name: piece.tensor, shape: piece.isWhole ? part.shape : [part.range.count], floats: part.floats)
        })
    }
    return CheckpointShare(
      files: files, pieces: pieces, parametersDigest: model.map { Digest.parameters($0, then: results) })
  }

  /// What the same writer has written in several goes.
  static func + (left: CheckpointShare, right: CheckpointShare) -> CheckpointShare {
    CheckpointShare(
      files: left.files + right.files, pieces: left.pieces + right.pieces,
      parametersDigest: left.parametersDigest ?? right.parametersDigest)
  }
}
