import Configuration
import Layers
import Tensors

/// What guesses from a sample and a noisy label what the label was: a path for each, and one for both.
///
/// The paths are those of Li, Teh and Pascanu (2025), figure 6; the image path is the model's.
struct DenoisingNetwork: Sendable {
  /// The sample's path; its layers are called as in `imageScope`, nil for the model's own.
  let image: Sequential
  let imageScope: String?
  /// Of the other paths.
  let scope: String
  private let label: Sequential
  /// Added to what the label's path makes.
  private let residual: Sequential?
  private let time: Sequential?
  private let joint: Sequential

  /// A network for one step: a label of `width` numbers through linear, batch-norm, relu, and two more with a skip; then with
  /// the image's features two hidden layers to `outputs` numbers.
  init(
    step image: Sequential, imageScope: String?, scope name: String, width: Int, units: Int, outputs: Int,
    in scope: inout ParameterScope
  ) {
    self.image = image
    self.imageScope = imageScope
    self.scope = name
    time = nil
    (label, residual, joint) = scope.nested(name) { scope in
      let label = scope.nested("label") {
        DenoisingNetwork.path(Signal([width]), [units], normalised: true, in: &$0)
      }
      let residual = scope.nested("residual") { scope in
        var stack = DenoisingNetwork.stack(label.output, [units], normalised: true, in: &scope)
        stack.append(in: &scope) { LinearLayer($0, outputs: units, in: &$1) }
        stack.append(in: &scope) { BatchNorm($0, in: &$1) }
        return stack.sequential
      }
      let joint = scope.nested("joint") {
        DenoisingNetwork.path(
          Signal([image.output.shape.count + units]), [units, max(1, units / 2)], normalised: true, outputs: outputs,
          in: &$0)
      }
      return (label, residual, joint)
    }
  }

  /// A network for all times, without batch normalisation: time has a path of its own.
  init(
    times image: Sequential, scope name: String, width: Int, units: Int, outputs: Int, in scope: inout ParameterScope
  ) throws(ConfigurationError) {
    self.image = image
    imageScope = nil
    self.scope = name
    residual = nil
    (label, time, joint) = try scope.nested(name) { (scope: inout ParameterScope) throws(ConfigurationError) in
      let label = scope.nested("label") {
        DenoisingNetwork.path(Signal([width]), [units], normalised: false, in: &$0)
      }
      let time = try scope.nested("time") { (scope: inout ParameterScope) throws(ConfigurationError) in
        let embedding = try TimeEmbedding(Signal([1]), width: 64)
        var stack = Stack(Signal([1]))
        stack.append(embedding)
        stack.append(in: &scope) { LinearLayer($0, outputs: units, in: &$1) }
        stack.append(Activation.relu.layer(stack.output))
        return stack.sequential
      }
      let joint = scope.nested("joint") {
        DenoisingNetwork.path(
          Signal([image.output.shape.count + 2 * units]), [units, max(1, units / 2)], normalised: false,
          outputs: outputs, in: &$0)
      }
      return (label, time, joint)
    }
  }

  /// What the image's path makes of samples: a row each.
  func features(_ x: Value, _ recorder: Recorder) -> Value {
    recorder.flatten(imageScope.map { recorder.scope($0) { image.record(x, recorder) } } ?? image.record(x, recorder))
  }

  /// What is guessed of the image's features and a noisy label, at times `[rows]` where there is a path for them.
  func record(_ features: Value, _ z: Value, times: Value? = nil, _ recorder: Recorder) -> Value {
    recorder.scope(scope) {
      let first = recorder.scope("label") { label.record(z, recorder) }
      let second = residual.map { path in
        recorder.add(first, recorder.scope("residual") { path.record(first, recorder) })
      }
      var paths = [features, second ?? first]
      if let time, let times {
        let column = recorder.reshape(times, [recorder.shape(times).count, 1])
        paths.append(recorder.scope("time") { time.record(column, recorder) })
      }
      let both = recorder.concatenate(paths)
      return recorder.scope("joint") { joint.record(both, recorder) }
    }
  }

  /// Hidden layers, then a linear one where there are `outputs`.
  private static func path(
    _ input: Signal, _ widths: [Int], normalised: Bool, outputs: Int? = nil, in scope: inout ParameterScope
  ) -> Sequential {
    var stack = stack(input, widths, normalised: normalised, in: &scope)
    if let outputs { stack.append(in: &scope) { LinearLayer($0, outputs: outputs, in: &$1) } }
    return stack.sequential
  }

  private static func stack(
    _ input: Signal, _ widths: [Int], normalised: Bool, in scope: inout ParameterScope
  ) -> Stack {
    var stack = Stack(input)
    for width in widths {
      stack.append(in: &scope) { LinearLayer($0, outputs: width, in: &$1) }
      if normalised { stack.append(in: &scope) { BatchNorm($0, in: &$1) } }
      stack.append(Activation.relu.layer(stack.output))
    }
    return stack
  }
}
