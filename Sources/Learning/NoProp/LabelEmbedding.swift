import Layers
import Tensors

/// What stands for a class while its label is denoised: a row of `width` numbers.
struct LabelEmbedding: Sendable {
  /// The kinds there are.
  enum Kind: String, CaseIterable {
    case oneHot = "one-hot"
    case learned
    case prototype
  }

  let classes: Int
  let width: Int
  /// `[width, classes]`, one column a class; nil for one-hot rows.
  let weight: Parameter?

  /// One-hot rows.
  init(oneHot classes: Int) { (self.classes, width, weight) = (classes, classes, nil) }

  /// Declares `embedding.weight`, whose columns are learned: at first orthonormal, or given ones.
  init(classes: Int, width: Int, columns: [[Float]]? = nil, in scope: inout ParameterScope) {
    (self.classes, self.width) = (classes, width)
    let initialiser =
      columns.map { columns in Initialiser.values((0..<width).flatMap { row in columns.map { $0[row] } }) }
      ?? .orthogonal(rows: width, columns: classes)
    weight = scope.nested("embedding") { $0.parameter("weight", [width, classes], initialiser) }
  }

  /// u of each sample's class.
  func record(_ targets: Value, _ recorder: Recorder) -> Value {
    mixed(recorder.oneHot(targets, classes: classes), recorder)
  }

  /// û = softmax(logits) · W, the mean embedding by the shares of the classes.
  func guess(_ logits: Value, _ recorder: Recorder) -> Value { mixed(recorder.softmax(logits), recorder) }

  private func mixed(_ shares: Value, _ recorder: Recorder) -> Value {
    weight.map { recorder.linear(shares, recorder.parameter($0)) } ?? shares
  }
}
