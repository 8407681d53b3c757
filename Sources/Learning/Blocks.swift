import Configuration
import Layers

/// How a model is cut for local learning: into blocks that end with a nonlinearity, and a head of what follows the last one.
public struct Blocks: Sendable {
  /// The layers of each block, without the head.
  public let bodies: [Range<Int>]
  /// The layers after the last nonlinearity, which make the outputs; may be empty.
  public let head: Range<Int>

  /// Cuts a model at its nonlinearities, and joins what lies between into `count` blocks of as many pieces, where given.
  /// Errors: more blocks than there are pieces, or a model without a nonlinearity.
  public init(_ model: Model, count: Int? = nil) throws(ConfigurationError) {
    var pieces: [Range<Int>] = []
    var first = 0
    for (index, named) in model.layers.enumerated() where named.layer.endsBlock {
      pieces.append(first..<index + 1)
      first = index + 1
    }
    guard !pieces.isEmpty else {
      throw ConfigurationError(
        "learning: model `\(model.name)` has no nonlinearity among its layers, of which `\(model.layers.last?.name ?? "")` is the "
          + "last, and cannot be cut into blocks; add one, or choose backpropagation")
    }
    head = first..<model.layers.count
    let wanted = count ?? pieces.count
    guard wanted <= pieces.count else {
      throw ConfigurationError(
        "learning.blocks is \(wanted), but model `\(model.name)` has \(pieces.count) blocks, each up to a nonlinearity; the last "
          + "ends with layer `\(model.layers[pieces[pieces.count - 1].upperBound - 1].name)`")
    }
    bodies = (0..<wanted).map { index in
      let (from, to) = (index * pieces.count / wanted, (index + 1) * pieces.count / wanted)
      return pieces[from].lowerBound..<pieces[to - 1].upperBound
    }
  }

  /// The blocks, the last one with the head.
  public var modules: [Range<Int>] {
    bodies.dropLast() + [bodies[bodies.count - 1].lowerBound..<head.upperBound]
  }

  /// The layers of a block up to its first nonlinearity.
  func firstPiece(of block: Int, _ model: Model) -> Range<Int> {
    let body = bodies[block]
    let end = model.layers[body].firstIndex { $0.layer.endsBlock } ?? body.upperBound - 1
    return body.lowerBound..<end + 1
  }

  /// What a block makes of a sample.
  func output(of block: Int, _ model: Model) -> Signal { model.layers[bodies[block].upperBound - 1].layer.output }

  /// Reads the key `blocks`.
  static func readCount(_ options: inout Options) throws(ConfigurationError) -> Int? {
    try options.optionalInteger(
      "blocks", in: 1...1 << 16, "blocks that the model is cut into; without it one for each nonlinearity")
  }
}
