import Compression
import Datasets
import Tensors

/// How ``SignSGD``'s server tells the last round's step: for each parameter a bit whether it moved up, and one whether it moved
/// at all; then the mean change of states.  Kept as it travels, for checkpoints too.
final class SignSGDWire {
  private let count: Int
  private let states: Int
  /// The change of states, then both rows of bits.
  let told: Storage

  private static let (signs, moves, change) = ("signs", "moves", "states")

  init(parameters: Int, states: Int) {
    count = parameters
    self.states = states
    told = Storage(zeros: states + 2 * SignSGDWire.words(parameters))
  }

  private static func words(_ count: Int) -> Int { (SignBits.byteCount(count) + 3) / 4 }

  /// Bytes of a step.
  static func bytes(parameters: Int, states: Int) -> Int { 2 * SignBits.byteCount(parameters) + 4 * states }

  private var signs: UnsafeMutableRawPointer { UnsafeMutableRawPointer(told.base + states) }
  private var moves: UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(told.base + states + SignSGDWire.words(count))
  }

  /// Keeps the step of a round.
  func tell(_ votes: UnsafePointer<Int32>, states change: UnsafePointer<Float>?) {
    BitCodes.pack(count: count, bits: 1, into: signs) { votes[$0] > 0 ? 1 : 0 }
    BitCodes.pack(count: count, bits: 1, into: moves) { votes[$0] == 0 ? 0 : 1 }
    if let change { told.base.update(from: change, count: states) }
  }

  /// Keeps that nothing moved.
  func skip() { told.clear() }

  /// The tensors of a step.
  var packed: [SafetensorsWriter.Part] {
    let bytes = SignBits.byteCount(count)
    var parts = [(SignSGDWire.signs, signs), (SignSGDWire.moves, moves)].map { name, bits in
      SafetensorsWriter.Part(
        name: name, type: .uint8, shape: [bytes], bytes: UnsafeRawBufferPointer(start: bits, count: bytes))
    }
    if states > 0 { parts.append(SafetensorsWriter.Part(name: SignSGDWire.change, shape: [states], floats: told.base)) }
    return parts
  }

  /// Moves a model by the tensors of a step of length η.
  func move(_ model: ParameterStore, by eta: Float, _ download: SafetensorsView) throws(DataError) {
    let bytes = SignBits.byteCount(count)
    let signs = try download.bytes(SignSGDWire.signs, .uint8, count: bytes)
    let moves = try download.bytes(SignSGDWire.moves, .uint8, count: bytes)
    if states > 0 {
      try download.copy(SignSGDWire.change, into: UnsafeMutableBufferPointer(start: told.base, count: states))
      VectorMath.add(told.base, to: model.states.base, count: states)
    }
    for i in 0..<count where moves[i >> 3] >> UInt8(i & 7) & 1 == 1 {
      model.parameters.base[i] += signs[i >> 3] >> UInt8(i & 7) & 1 == 1 ? eta : -eta
    }
  }
}
