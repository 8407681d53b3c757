import Configuration
import Datasets
import Federated
import Foundation
import Layers
import Tensors
import Training

/// One linear layer without biases, trained by full batches in Float64: what rounds of masks are compared with.
struct MaskReference {
  let prepared: PreparedFederation
  /// Samples of every client: 64 numbers and a class.
  let clients: [[(input: [Double], label: Int)]]

  static let model = "{name: mlp, widths: [], bias: false}"

  init(_ trial: MaskTrial) throws {
    prepared = try trial.prepared()
    let source = prepared.task.training
    clients = (0..<prepared.task.partition.clients).map { [prepared] client in
      var samples: [Int32] = []
      prepared.task.partition.samples(of: client, into: &samples)
      return samples.map { sample in
        var (input, label) = ([Float](repeating: 0, count: source.inputShape.count), Int32(0))
        source.read(Int(sample), epoch: 0, into: &input, targets: &label)
        return (input.map(Double.init), Int(label))
      }
    }
  }

  /// The gradient of a client's mean loss at weights `[10, 64]`.
  func gradient(_ client: Int, at weights: [Double]) -> [Double] {
    var gradient = [Double](repeating: 0, count: weights.count)
    for (input, label) in clients[client] {
      let outputs = outputs(weights, input)
      let top = outputs.max() ?? 0
      let powers = outputs.map { exp($0 - top) }
      let sum = powers.reduce(0, +)
      for output in powers.indices {
        let error = (powers[output] / sum - (output == label ? 1 : 0)) / Double(clients[client].count)
        for place in input.indices { gradient[output * input.count + place] += error * input[place] }
      }
    }
    return gradient
  }

  /// The share of a client's samples that weights get right.
  func accuracy(_ client: Int, at weights: [Double]) -> Double {
    let right = clients[client].count { input, label in
      let outputs = outputs(weights, input)
      return outputs.firstIndex(of: outputs.max() ?? 0) == label
    }
    return Double(right) / Double(clients[client].count)
  }

  private func outputs(_ weights: [Double], _ input: [Double]) -> [Double] {
    (0..<weights.count / input.count).map { output in
      input.indices.reduce(0) { $0 + weights[output * input.count + $1] * input[$1] }
    }
  }

  /// Who takes part in a round of so many.
  func cohort(_ round: Int, of size: Int) -> [Int] {
    var clients: [Int32] = []
    CohortSampler(.fixed(size), clients: prepared.task.partition.clients, seed: prepared.task.seed)
      .select(round: round, isAvailable: { _ in true }, into: &clients, CohortScratch())
    return clients.map(Int.init)
  }

  /// Places of the greatest scores, of equal ones the earlier.
  static func greatest(_ count: Int, of scores: [Double], among places: [Int]) -> Set<Int> {
    Set(places.sorted { scores[$0] != scores[$1] ? scores[$0] > scores[$1] : $0 < $1 }.prefix(count))
  }

}
