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

  /// Numbers that leave.
  var outputCount: Int {
    switch self {
    case .weighted(_, _, let grid, _, let outputs, _): grid.outputPixels * outputs
    case .maxPool(let grid, let channels), .averagePool(let grid, let channels, _): grid.outputPixels * channels
    case .flatten, .normalise: inputCount
    }
  }

  /// Replaces y.  Weights lie as ``transposed`` says.
  func forward(
    _ x: UnsafePointer<Double>, _ parameters: UnsafePointer<Double>, _ states: UnsafePointer<Float>,
    into y: UnsafeMutablePointer<Double>
  ) {
    y.update(repeating: 0, count: outputCount)
    switch self {
    case .weighted(let weight, let bias, let grid, let inputs, let outputs, let groups):
      let (groupInputs, groupOutputs) = (inputs / groups, outputs / groups)
      if let bias {
        for place in 0..<outputCount { y[place] = parameters[bias.lowerBound + place % outputs] }
      }
      grid.forEach { output, input, tap in
        let (row, rows) = (y + output * outputs, parameters + weight.lowerBound + tap * outputs * groupInputs)
        for o in 0..<outputs {
          row[o] += FlowStep.dot(
            x + input * inputs + o / groupOutputs * groupInputs, rows + o * groupInputs, groupInputs)
        }
      }
    case .maxPool(let grid, let channels):
      grid.forEach { output, input, _ in
        for c in 0..<channels { y[output * channels + c] = max(y[output * channels + c], x[input * channels + c]) }
      }
    case .averagePool(let grid, let channels, let countsPadding):
      grid.forEach { output, input, _ in
        FlowStep.add(x + input * channels, grid.share(output, countsPadding), to: y + output * channels, channels)
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
    _ x: UnsafePointer<Double>, _ parameters: UnsafePointer<Double>, _ states: UnsafePointer<Float>,
    _ dy: UnsafePointer<Double>, input dx: UnsafeMutablePointer<Double>, weights: UnsafeMutablePointer<Double>
  ) {
    dx.update(repeating: 0, count: inputCount)
    switch self {
    case .weighted(let weight, _, let grid, let inputs, let outputs, let groups):
      let (groupInputs, groupOutputs) = (inputs / groups, outputs / groups)
      grid.forEach { output, input, tap in
        for o in 0..<outputs {
          let row = weight.lowerBound + (tap * outputs + o) * groupInputs
          let first = input * inputs + o / groupOutputs * groupInputs
          let gradient = dy[output * outputs + o]
          FlowStep.add(parameters + row, gradient, to: dx + first, groupInputs)
          FlowStep.add(x + first, gradient, to: weights + row, groupInputs)
        }
      }
    case .maxPool(let grid, let channels):
      // The first of equal ones takes all, as in training.
      var best = [Int](repeating: -1, count: outputCount)
      grid.forEach { output, input, _ in
        for c in 0..<channels {
          let (place, candidate) = (output * channels + c, input * channels + c)
          if best[place] < 0 || x[candidate] > x[best[place]] { best[place] = candidate }
        }
      }
      for place in best.indices where best[place] >= 0 { dx[best[place]] += dy[place] }
    case .averagePool(let grid, let channels, let countsPadding):
      grid.forEach { output, input, _ in
        FlowStep.add(dy + output * channels, grid.share(output, countsPadding), to: dx + input * channels, channels)
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

  /// The weights of a convolution, `[rows, taps]` in the store, lie tap by tap here: then the inputs of a tap are neighbours.
  var transposed: (range: Range<Int>, rows: Int, taps: Int)? {
    guard case .weighted(let weight, _, let grid, _, _, _) = self, grid.taps > 1 else { return nil }
    return (weight, weight.count / grid.taps, grid.taps)
  }

  @inline(never)
  private static func dot(_ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>, _ count: Int) -> Double {
    let (left, right) = (UnsafeRawPointer(x), UnsafeRawPointer(y))
    var sums = SIMD8<Double>.zero
    var i = 0
    while i &+ 8 <= count {
      sums +=
        left.loadUnaligned(fromByteOffset: i &* 8, as: SIMD8<Double>.self)
        * right.loadUnaligned(fromByteOffset: i &* 8, as: SIMD8<Double>.self)
      i &+= 8
    }
    var total = sums.sum()
    while i < count {
      total += x[i] * y[i]
      i &+= 1
    }
    return total
  }

  /// y ← y + factor · x.
  @inline(never)
  private static func add(
    _ x: UnsafePointer<Double>, _ factor: Double, to y: UnsafeMutablePointer<Double>, _ count: Int
  ) {
    var i = 0
    while i < count {
      y[i] += factor * x[i]
      i &+= 1
    }
  }

  /// What batch normalisation multiplies a channel with.
  private func scale(
    _ channel: Int, _ parameters: UnsafePointer<Double>, _ states: UnsafePointer<Float>
  ) -> Double {
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
