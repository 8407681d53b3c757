import Datasets
import Tensors

/// The tensors of a checkpoint beside the model, by name, whoever wrote them: any slice of any of them can be read.
public struct CheckpointState: Sendable {
  /// A tensor: its shape, and its pieces in order.
  private struct Entry {
    let shape: Shape
    var pieces: [CheckpointPiece]
  }

  private let directory: String
  private var entries: [String: Entry] = [:]
  private var files: [String: SafetensorsFile] = [:]

  /// Names of all tensors.
  public var names: Set<String> { Set(entries.keys) }

  /// Looks up what a checkpoint holds, and makes sure that every tensor is there without gap or overlap.
  init(_ checkpoint: Checkpoint) throws(CheckpointError) {
    directory = checkpoint.directory
    let manifest = checkpoint.manifest
    for file in manifest.files where file.name != Checkpoint.modelFile {
      files[file.name] = try checkpointErrors { () throws(DataError) in
        try SafetensorsFile.open("\(checkpoint.directory)/\(file.name)")
      }
    }
    for piece in manifest.pieces ?? CheckpointState.earlierPieces(files) {
      guard piece.isSound else { throw damaged("piece \(piece.tensor) cannot be") }
      // Nothing was remembered: the first format said so.
      if piece.count == 0 { continue }
      guard let entry = files[piece.file]?.tensors[piece.tensor], entry.type == .float32,
        entry.shape.dimensions == (piece.isWhole ? piece.shape : [piece.count])
      else { throw damaged("\(piece.file) lacks \(piece.tensor)") }
      let shape = Shape(piece.shape)
      guard entries[piece.name]?.shape ?? shape == shape else { throw damaged("\(piece.name) has two shapes") }
      entries[piece.name, default: Entry(shape: shape, pieces: [])].pieces.append(piece)
    }
    for (name, entry) in entries {
      let sorted = entry.pieces.sorted { $0.first < $1.first }
      var end = 0
      for piece in sorted {
        guard piece.first == end else { throw damaged("the pieces of \(name) do not make a whole") }
        end = piece.range.upperBound
      }
      guard end == entry.shape.count else { throw damaged("the pieces of \(name) do not make a whole") }
      entries[name]?.pieces = sorted
    }
  }

  private func damaged(_ why: String) -> CheckpointError {
    CheckpointError(.damaged, "\(directory) is damaged: \(why)")
  }

  /// The pieces of a checkpoint of format 1, whose tensors are whole: `optimizer.safetensors` and `strategy.safetensors`.
  private static func earlierPieces(_ files: [String: SafetensorsFile]) -> [CheckpointPiece] {
    files.flatMap { file, content in
      content.tensors.map { name, entry in
        CheckpointPiece("\(file.dropLast(".safetensors".count))/\(name)", entry.shape, in: file, as: name)
      }
    }
  }

  /// The shape of a tensor, nil where there is none of that name.
  public func shape(_ name: String) -> Shape? { entries[name]?.shape }

  /// Copies some scalars of a tensor that is there, row-major.
  public func read(_ name: String, _ range: Range<Int>, into target: UnsafeMutablePointer<Float>)
    throws(CheckpointError)
  {
    for piece in entries[name]?.pieces ?? [] {
      let kept = piece.range.clamped(to: range)
      guard !kept.isEmpty, let file = files[piece.file] else { continue }
      try checkpointErrors { () throws(DataError) in
        try file.withBytes(piece.tensor) { bytes in
          guard let base = bytes.baseAddress else { return }
          UnsafeMutableRawPointer(target + (kept.lowerBound - range.lowerBound)).copyMemory(
            from: base + 4 * (kept.lowerBound - piece.first), byteCount: 4 * kept.count)
        }
      }
    }
  }
}
