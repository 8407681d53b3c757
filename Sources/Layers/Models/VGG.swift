import Configuration
import Tensors

/// VGG-11 (Simonyan and Zisserman 2015, configuration A) for small images: eight 3×3 convolutions and one linear layer, as
/// is usual on CIFAR; the paper's two hidden linear layers of 4,096 units are left out.
enum VGG {
  static let kind = ModelKind(
    "vgg11", "Eight 3×3 convolutions in five stages, one linear layer; 32×32 images or larger."
  ) {
    (options, input, classes, scope) throws(ConfigurationError) in
    let normalised = try options.flag(
      "batch-norm", default: true, "whether batch normalisation follows each convolution")
    let synchronised = try BatchNorm.readSynchronised(&options)
    try options.require(
      normalised || !synchronised, key: "synchronised", "there is no batch normalisation to be synchronised")
    var stack = Stack(input)
    for stage in [[64], [128], [256, 256], [512, 512], [512, 512]] {
      for channels in stage {
        try stack.append(in: &scope) { (input, scope: inout ParameterScope) throws(ConfigurationError) in
          try ConvolutionLayer(input, channels: channels, .init(kernel: 3, padding: 1), bias: true, in: &scope)
        }
        if normalised { stack.append(in: &scope) { BatchNorm($0, synchronised: synchronised, in: &$1) } }
        stack.append(Activation.relu.layer(stack.output))
      }
      stack.append(try MaxPool(stack.output, .init(kernel: 2, stride: 2)))
    }
    stack.append(Flatten(stack.output))
    stack.append(in: &scope) { LinearLayer($0, outputs: classes, in: &$1) }
    return stack.sequential
  }
}
