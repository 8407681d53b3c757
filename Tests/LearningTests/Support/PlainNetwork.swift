import Foundation
import Layers

/// A network of linear layers with tanh between them, in plain loops over Float64: what rules are held against.
struct PlainNetwork {
  /// By layer, then output, then input.
  let weights: [[[Double]]]
  let biases: [[Double]]
  let loss: Objective.Loss

  /// What one sample tells a hidden layer: its number, the error at the outputs, the difference δ of the layer above, what the
  /// layer made, and the targets as a row of numbers.
  typealias Signal = (_ layer: Int, _ error: [Double], _ above: [Double], _ made: [Double], _ target: [Double]) ->
    [Double]

  /// The layers of a run, by the names of their places.
  init(_ run: RuleRun, _ places: [Int], _ loss: Objective.Loss) {
    biases = places.map { run.scalars("\($0).bias").map(Double.init) }
    weights = zip(places, biases).map { place, bias in
      PlainNetwork.rows(run.scalars("\(place).weight").map(Double.init), bias.count)
    }
    self.loss = loss
  }

  static func rows(_ scalars: [Double], _ count: Int) -> [[Double]] {
    let width = scalars.count / count
    return (0..<count).map { Array(scalars[$0 * width..<($0 + 1) * width]) }
  }

  static func product(_ row: [Double], _ matrix: [[Double]]) -> [Double] {
    matrix[0].indices.map { column in zip(row, matrix).reduce(0) { $0 + $1.0 * $1.1[column] } }
  }

  /// The error at the outputs of one sample of `count`.
  static func error(_ outputs: [Double], _ target: [Double], _ loss: Objective.Loss, count: Int) -> [Double] {
    let (k, n) = (Double(outputs.count), Double(count))
    switch loss {
    case .crossEntropy:
      let total = outputs.reduce(0) { $0 + exp($1) }
      return zip(outputs, target).map { (exp($0) / total - $1) / n }
    case .binaryCrossEntropy: return zip(outputs, target).map { (1 / (1 + exp(-$0)) - $1) / (n * k) }
    case .meanSquaredError: return zip(outputs, target).map { 2 * ($0 - $1) / (n * k) }
    }
  }

  /// The targets of a batch as rows of numbers, one-hot for classes.
  static func targets(_ batch: RuleRun.Batch) -> [[Double]] {
    if batch.loss == .crossEntropy {
      return batch.targets.map { label in (0..<batch.outputs).map { $0 == Int(label) ? 1 : 0 } }
    }
    return rows(batch.targets.map { Double(Float(bitPattern: $0)) }, batch.count)
  }

  /// Gradients of weights, then of biases, layer by layer, of a batch.
  func gradients(_ batch: RuleRun.Batch, _ signal: Signal) -> (weights: [[Double]], biases: [[Double]]) {
    var dw = weights.map { $0.map { $0.map { _ in 0.0 } } }
    var db = biases.map { $0.map { _ in 0.0 } }
    let samples = PlainNetwork.rows(batch.samples.map { Double(Float(bitPattern: $0)) }, batch.count)
    for (sample, target) in zip(samples, PlainNetwork.targets(batch)) {
      var made = [sample]
      for layer in weights.indices {
        let sums = zip(weights[layer], biases[layer]).map { row, bias in
          zip(row, made[layer]).reduce(bias) { $0 + $1.0 * $1.1 }
        }
        made.append(layer == weights.count - 1 ? sums : sums.map { tanh($0) })
      }
      let error = PlainNetwork.error(made.last!, target, loss, count: batch.count)
      var above = error
      for layer in weights.indices.reversed() {
        let h = made[layer + 1]
        if layer < weights.count - 1 {
          above = zip(signal(layer, error, above, h, target), h).map { $0 * (1 - $1 * $1) }
        }
        for (output, delta) in above.enumerated() {
          db[layer][output] += delta
          for (input, value) in made[layer].enumerated() { dw[layer][output][input] += delta * value }
        }
      }
    }
    return (dw.map { $0.flatMap { $0 } }, db)
  }
}
