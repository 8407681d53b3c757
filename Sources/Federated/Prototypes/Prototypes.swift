import Tensors

/// The prototypes of some classes as a matrix: tells the class of embeddings by the nearest of them.
public struct Prototypes: Sendable {
  /// The class of each row.
  public let labels: [Int32]
  /// Scalars of a prototype.
  public let width: Int
  private let rows: Storage  // [labels, width]
  /// ‖p‖² of each row.
  private let squares: [Float]
  private let product: MatrixProduct

  /// Embeddings whose scores are worked out at a time.
  private static let block = 128

  /// The prototypes of the given classes of a memory, in this order.
  public init(_ memory: PrototypeMemory, labels: [Int], _ compute: Compute = Compute()) {
    self.init(labels: labels, width: memory.width, compute) { memory.prototype($0, into: $1) }
  }

  /// The prototypes that `write` makes of classes.
  init(
    labels: [Int], width: Int, _ compute: Compute,
    write: (_ label: Int, _ prototype: UnsafeMutablePointer<Float>) -> Void
  ) {
    let rows = Storage(zeros: labels.count * width)
    for (row, label) in labels.enumerated() { write(label, rows.base + row * width) }
    squares = labels.indices.map { Float(Reductions.squares(rows.base + $0 * width, width)) }
    self.labels = labels.map { Int32($0) }
    self.width = width
    self.rows = rows
    product = MatrixProduct(compute)
  }

  /// The prototypes of all that a memory knows.
  public init(_ memory: PrototypeMemory, _ compute: Compute = Compute()) {
    self.init(memory, labels: memory.known, compute)
  }

  /// The class whose prototype is nearest to each of `count` embeddings, the first of several; −1 where there is none, or
  /// where an embedding is not a number.
  public func nearest(_ embeddings: UnsafePointer<Float>, count: Int) -> [Int32] {
    var result: [Int32] = []
    result.reserveCapacity(count)
    forEachRow(embeddings, count: count) { _, scores in
      var best = -Float.infinity
      var place = -1
      for column in labels.indices where scores[column] > best { (best, place) = (scores[column], column) }
      result.append(place < 0 ? -1 : labels[place])
    }
    return result
  }

  /// Calls `body` with each embedding's scores, 2 q·p − ‖p‖²: the squared distance is ‖q‖² less.
  func forEachRow(
    _ embeddings: UnsafePointer<Float>, count: Int, _ body: (_ row: Int, _ scores: UnsafePointer<Float>) -> Void
  ) {
    let columns = labels.count
    let scores = Storage(zeros: Prototypes.block * columns)
    for first in stride(from: 0, to: count, by: Prototypes.block) {
      let size = min(Prototypes.block, count - first)
      guard columns > 0 else {
        for row in first..<first + size { body(row, scores.base) }
        continue
      }
      product(
        embeddings + first * width, lda: width, rows.base, transposeB: true, ldb: width, into: scores.base,
        ldc: columns, m: size, n: columns, k: width, alpha: 2)
      for row in 0..<size {
        let line = scores.base + row * columns
        for column in 0..<columns { line[column] -= squares[column] }
        body(first + row, line)
      }
    }
  }
}
