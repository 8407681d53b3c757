import Configuration
import Layers
import Tensors

/// One layer of a chain in Float64, forward and backward for one sample; nothing negative ever enters.
enum FlowStep {
  /// Every output is a sum over the taps of a window and the inputs of its group; a linear layer has one tap.
  case weighted(weight: Range<Int>, bias: Range<Int>?, grid: FlowGrid, inputs: Int, outputs: Int, groups: Int)
  case maxPool(grid: FlowGrid, channels: Int)
  case averagePool(grid: FlowGrid, channels: Int, countsPadding: Bool)
  /// Channels, then pixels.
  case flatten(pixels: Int, channels: Int)
  case normalise(
    weight: Range<Int>?, bias: Range<Int>?, variance: Range<Int>, epsilon: Double, rows: Int, channels: Int)

  /// Nil for a layer that does nothing to numbers that are not negative.
  init?(_ named: NamedLayer, input: Shape) throws(ConfigurationError) {
    let images = input.rank == 3
    switch named.layer {
    case let layer as LinearLayer:
      let inputs = input[-1]
      self = .weighted(
        weight: layer.weight.range, bias: layer.bias?.range,
        grid: FlowGrid(input.count / inputs, 1, Window(kernel: 1)), inputs: inputs, outputs: layer.output.shape[-1],
        groups: 1)
    case let layer as ConvolutionLayer:
      self = .weighted(
        weight: layer.weight.range, bias: layer.bias?.range, grid: FlowGrid(input[0], input[1], layer.window),
        inputs: input[2], outputs: layer.output.shape[2], groups: layer.groups)
    case let layer as MaxPool: self = .maxPool(grid: FlowGrid(input[0], input[1], layer.window), channels: input[2])
    case let layer as AveragePool:
      self = .averagePool(
        grid: FlowGrid(input[0], input[1], layer.window), channels: input[2], countsPadding: layer.countsPadding)
    case is GlobalAveragePool:
      // One row of pixels under one window.
      let pixels = input[0] * input[1]
      self = .averagePool(
        grid: FlowGrid(1, pixels, kernelHeight: 1, Window(kernel: pixels)), channels: input[2], countsPadding: true)
    case is Flatten:
      if !images { return nil }
      self = .flatten(pixels: input[0] * input[1], channels: input[2])
    case let layer as BatchNorm:
      self = .normalise(
        weight: layer.weight?.range, bias: layer.bias?.range, variance: layer.variance.range,
        epsilon: Double(layer.epsilon), rows: input.count / input[-1], channels: input[-1])
    default:
      if ["relu", "elu", "dropout"].contains(named.layer.kind) { return nil }
      throw ConfigurationError(
        "synflow follows chains of linear, convolution, pooling, batch-norm, relu and flatten; layer `\(named.name)` is "
          + "`\(named.layer.kind)`: choose the criterion magnitude, random or snip")
    }
  }

  /// Numbers that enter.
  var inputCount: Int {
    switch self {
    case .weighted(_, _, let grid, let inputs, _, _): grid.inputPixels * inputs
    case .maxPool(let grid, let channels), .averagePool(let grid, let channels, _): grid.inputPixels * channels
    case .flatten(let pixels, let channels): pixels * channels
    case .normalise(_, _, _, _, let rows, let channels): rows * channels
    }
  }

  func forward(
    _ x: [Double], _ parameters: [Double], _ states: UnsafePointer<Float>, into y: inout [Double]
  ) {
    switch self {
    case .weighted(let weight, let bias, let grid, let inputs, let outputs, let groups):
      let (groupInputs, groupOutputs) = (inputs / groups, outputs / groups)
      for place in 0..<grid.outputPixels * outputs {
        y[place] = bias.map { parameters[$0.lowerBound + place % outputs] } ?? 0
      }
      grid.forEach { output, input, tap in
        for o in 0..<outputs {
          let row = weight.lowerBound + o * groupInputs * grid.taps + tap
          let first = input * inputs + o / groupOutputs * groupInputs
          var sum = 0.0
          for i in 0..<groupInputs { sum += x[first + i] * parameters[row + i * grid.taps] }
          y[output * outputs + o] += sum
        }
      }
    case .maxPool(let grid, let channels):
      for place in y.indices { y[place] = 0 }
      grid.forEach { output, input, _ in
        for c in 0..<channels { y[output * channels + c] = max(y[output * channels + c], x[input * channels + c]) }
      }
    case .averagePool(let grid, let channels, let countsPadding):
      for place in y.indices { y[place] = 0 }
      grid.forEach { output, input, _ in
        let share = grid.share(output, countsPadding)
        for c in 0..<channels { y[output * channels + c] += share * x[input * channels + c] }
      }
    case .flatten(let pixels, let channels):
      for pixel in 0..<pixels { for c in 0..<channels { y[c * pixels + pixel] = x[pixel * channels + c] } }
    case .normalise(_, let bias, _, _, let rows, let channels):
      for c in 0..<channels {
        let (scale, shift) = (scale(c, parameters, states), bias.map { parameters[$0.lowerBound + c] } ?? 0)
        for row in 0..<rows { y[row * channels + c] = scale * x[row * channels + c] + shift }
      }
    }
  }

  /// dx replaced, the derivatives of prunable weights added.
  func backward(
    _ x: [Double], _ parameters: [Double], _ states: UnsafePointer<Float>, _ dy: [Double], input dx: inout [Double],
    weights: inout [Double]
  ) {
    for place in dx.indices { dx[place] = 0 }
    switch self {
    case .weighted(let weight, _, let grid, let inputs, let outputs, let groups):
      let (groupInputs, groupOutputs) = (inputs / groups, outputs / groups)
      grid.forEach { output, input, tap in
        for o in 0..<outputs {
          let row = weight.lowerBound + o * groupInputs * grid.taps + tap
          let first = input * inputs + o / groupOutputs * groupInputs
          let gradient = dy[output * outputs + o]
          for i in 0..<groupInputs {
            dx[first + i] += gradient * parameters[row + i * grid.taps]
            weights[row + i * grid.taps] += gradient * x[first + i]
          }
        }
      }
    case .maxPool(let grid, let channels):
      // The first of equal ones takes all, as in training.
      var best = [Int](repeating: -1, count: dy.count)
      grid.forEach { output, input, _ in
        for c in 0..<channels {
          let (place, candidate) = (output * channels + c, input * channels + c)
          if best[place] < 0 || x[candidate] > x[best[place]] { best[place] = candidate }
        }
      }
      for place in dy.indices where best[place] >= 0 { dx[best[place]] += dy[place] }
    case .averagePool(let grid, let channels, let countsPadding):
      grid.forEach { output, input, _ in
        let share = grid.share(output, countsPadding)
        for c in 0..<channels { dx[input * channels + c] += share * dy[output * channels + c] }
      }
    case .flatten(let pixels, let channels):
      for pixel in 0..<pixels { for c in 0..<channels { dx[pixel * channels + c] = dy[c * pixels + pixel] } }
    case .normalise(_, _, _, _, let rows, let channels):
      for c in 0..<channels {
        let scale = scale(c, parameters, states)
        for row in 0..<rows { dx[row * channels + c] = scale * dy[row * channels + c] }
      }
    }
  }

  /// What batch normalisation multiplies a channel with.
  private func scale(_ channel: Int, _ parameters: [Double], _ states: UnsafePointer<Float>) -> Double {
    guard case .normalise(let weight, _, let variance, let epsilon, _, _) = self else { return 1 }
    let gain = weight.map { parameters[$0.lowerBound + channel] } ?? 1
    return gain / (abs(Double(states[variance.lowerBound + channel])) + epsilon).squareRoot()
  }
}

/// The pixels of an image, and which of them each position of a window sees.
struct FlowGrid {
  let height: Int
  let width: Int
  let kernelHeight: Int
  let window: Window

  init(_ height: Int, _ width: Int, kernelHeight: Int? = nil, _ window: Window) {
    self.height = height
    self.width = width
    self.kernelHeight = kernelHeight ?? window.kernel
    self.window = window
  }

  private var rows: Int {
    Window(kernel: kernelHeight, stride: window.stride, padding: window.padding, dilation: window.dilation)
      .positions(along: height)
  }
  private var columns: Int { window.positions(along: width) }
  var inputPixels: Int { height * width }
  var outputPixels: Int { rows * columns }
  var taps: Int { kernelHeight * window.kernel }

  /// Calls with every output pixel, each input pixel under it, and the tap between them.
  func forEach(_ body: (_ output: Int, _ input: Int, _ tap: Int) -> Void) {
    for row in 0..<rows {
      for column in 0..<columns {
        for tapRow in 0..<kernelHeight {
          let y = row * window.stride + tapRow * window.dilation - window.padding
          for tapColumn in 0..<window.kernel where y >= 0 && y < height {
            let x = column * window.stride + tapColumn * window.dilation - window.padding
            if x >= 0, x < width { body(row * columns + column, y * width + x, tapRow * window.kernel + tapColumn) }
          }
        }
      }
    }
  }

  /// One pixel's share of a mean.
  func share(_ output: Int, _ countsPadding: Bool) -> Double {
    if countsPadding { return 1 / Double(taps) }
    let (row, column) = (output / columns, output % columns)
    func seen(_ position: Int, _ kernel: Int, _ extent: Int) -> Int {
      let first = position * window.stride - window.padding
      return (0..<kernel).count { (0..<extent).contains(first + $0 * window.dilation) }
    }
    return 1 / Double(seen(row, kernelHeight, height) * seen(column, window.kernel, width))
  }
}
