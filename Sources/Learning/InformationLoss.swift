import Configuration
import Layers
import Tensors

/// InfoPro's loss: λ₁ · reconstruction + λ₂ · prediction.
struct InformationLossKind: LocalLossKind {
  /// The temperature where samples of a class are drawn together, nil where a classifier predicts.
  let contrast: Float?
  /// Convolutions of the small network that tells classes apart.
  let convolutions: Int
  let reconstruction: LossRamp
  let prediction: LossRamp
  /// Whether weights ramp by the size of images alone (see ``MomentumAuxiliary``).
  var followsStages = false

  /// The numbers that samples of a class are compared by.
  private static let features = 128

  func make(_ place: LocalPlace, in scope: inout ParameterScope) throws(ConfigurationError) -> any LocalLoss {
    guard contrast == nil || (place.objective.loss == .crossEntropy && !place.predictsPositions) else {
      throw ConfigurationError("learning.loss is contrast, which needs one class a sample; choose softmax")
    }
    let outputs = contrast == nil ? place.outputs : InformationLossKind.features
    let network = try scope.nested("classifier") { (scope: inout ParameterScope) throws(ConfigurationError) in
      try AuxiliaryHead.projection(place, outputs: outputs, convolutions: convolutions, in: &scope)
    }
    let decoder = try scope.nested("decoder") { (scope: inout ParameterScope) throws(ConfigurationError) in
      try Self.decoder(place, in: &scope)
    }
    let share = share(place)
    return InformationLoss(
      place: place, network: network, decoder: decoder, contrast: contrast,
      reconstruction: reconstruction.weight(share), prediction: prediction.weight(share))
  }

  /// r: 0 in the first block, 1 in the last that has such a loss; or the stage, counted from 1, over the blocks less two, but a
  /// half at most, because few blocks would make it 1 and weights that end at 0 vanish.
  private func share(_ place: LocalPlace) -> Float {
    guard place.count > 2 else { return 0 }
    guard followsStages else { return Float(place.block) / Float(place.count - 2) }
    var (stage, extent) = (1, place.model.input.shape[0])
    while place.signal.shape.rank == 3, place.signal.shape[0] < extent, 2 * place.signal.shape[0] <= extent + 1 {
      stage += 1
      extent = (extent + 1) / 2
    }
    return min(0.5, Float(stage) / Float(place.count - 2))
  }

  /// Bilinear resizing to the size of the samples and two 3×3 convolutions from images to images; otherwise one linear layer,
  /// to the tokens or features of each position where both are sequences.
  private static func decoder(
    _ place: LocalPlace, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> Sequential {
    let (signal, sample) = (place.signal, place.model.input)
    var stack = Stack(signal)
    if signal.shape.rank == 3, sample.shape.rank == 3 {
      stack.append(try BilinearResize(signal, height: sample.shape[0], width: sample.shape[1]))
      try stack.convolution(12, .init(kernel: 3, padding: 1), in: &scope)
      try stack.append(in: &scope) { (input, scope: inout ParameterScope) throws(ConfigurationError) in
        try ConvolutionLayer(
          input, channels: sample.shape[2], .init(kernel: 3, padding: 1), bias: true, in: &scope)
      }
      return stack.sequential
    }
    if let vocabulary = sample.vocabulary {
      guard signal.shape.rank == 2, signal.shape[0] == sample.shape[0] else {
        throw ConfigurationError(
          "rule infopro cannot train block \(place.block), which makes \(signal) of \(sample): no decoder tells the tokens"
        )
      }
      stack.append(in: &scope) { LinearLayer($0, outputs: vocabulary, in: &$1) }
      return stack.sequential
    }
    let isEach = signal.shape.rank == 2 && sample.shape.rank == 2 && signal.shape[0] == sample.shape[0]
    if !isEach, signal.shape.rank > 1 { stack.append(Flatten(signal)) }
    let outputs = isEach ? sample.shape[1] : sample.shape.count
    stack.append(in: &scope) { LinearLayer($0, outputs: outputs, in: &$1) }
    return stack.sequential
  }
}

/// The loss of one block.
///
/// Images are reconstructed by binary cross entropy, a mean over pixels.  Its targets are pixels of 0…1; because a program sees
/// standardised ones, each image is scaled by its own least and largest.  Other numbers are reconstructed by their mean squared
/// error, tokens by cross entropy.
struct InformationLoss: LocalLoss {
  private let model: Model
  private let objective: Objective
  private let scope: String
  private let network: Sequential
  private let decoder: Sequential
  private let contrast: Float?
  private let reconstruction: Float
  private let prediction: Float

  init(
    place: LocalPlace, network: Sequential, decoder: Sequential, contrast: Float?, reconstruction: Float,
    prediction: Float
  ) {
    (model, objective, scope) = (place.model, place.objective, place.name)
    (self.network, self.decoder, self.contrast) = (network, decoder, contrast)
    (self.reconstruction, self.prediction) = (reconstruction, prediction)
  }

  func record(_ made: Value, _ recorder: Recorder) -> [Value] {
    // Targets weigh one over all terms of the batch's objective; a reconstruction is a mean over the scalars of a sample.
    let terms = Float(objective.targetsPerSample)
    let weight = reconstruction * terms / Float(model.input.shape.count)
    let sample = model.recordInput(recorder)
    let decoded = recorder.scope("\(scope).decoder") { decoder.record(made, recorder) }
    let kept =
      if model.input.vocabulary != nil {
        recorder.softmaxCrossEntropy(decoded, sample, weight: weight)
      } else if model.input.shape.rank == 3 {
        recorder.binaryCrossEntropy(decoded, recorder.unitRange(sample), weight: weight)
      } else {
        recorder.meanSquaredError(decoded, sample, weight: weight)
      }
    let features = recorder.scope("\(scope).classifier") { network.record(made, recorder) }
    guard let contrast else { return [kept, objective.record(features, recorder, weight: prediction)] }
    let classes = recorder.target(objective.target, .int32)
    return [kept, recorder.supervisedContrast(features, classes, temperature: contrast, weight: prediction)]
  }
}
