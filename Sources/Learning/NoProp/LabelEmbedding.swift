import Layers
import Tensors

/// What stands for a class while its label is denoised: a row of `width` numbers.
struct LabelEmbedding: Sendable {
  /// The kinds there are.
  enum Kind: String, CaseIterable {
    case oneHot = "one-hot"
    case learned
  }

  let classes: Int
  let width: Int
  /// `[width, classes]`, one column a class, orthonormal at first; nil for one-hot rows.
  let weight: Parameter?

  /// Declares `embedding.weight` where it is learned.
  init(_ kind: Kind, classes: Int, width: Int, in scope: inout ParameterScope) {
    self.classes = classes
    self.width = kind == .oneHot ? classes : width
    weight =
      kind == .oneHot
      ? nil
      : scope.nested("embedding") {
        $0.parameter("weight", [width, classes], .orthogonal(rows: width, columns: classes))
      }
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
