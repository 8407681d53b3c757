import Communication
import Foundation
import Strategies
import Tensors

/// Which rank writes what of a checkpoint.
///
/// What every rank has is cut evenly, less for rank 0, which writes the model; what only one rank has is its own.
package struct CheckpointShares {
  /// Tensors of all ranks by name, with their shapes.
  package let tensors: [String: Shape]
  /// Bytes that all ranks write, the model's among them.
  package let bytes: Int
  /// Names that every rank has whole.
  private let common: Set<String>
  /// The scalars of all common tensors, one after the other in order of names, that this rank writes.
  private let range: Range<Int>
  private let rank: Int

  /// Works it out from what each rank holds.  Collective.
  package init(_ parts: [CheckpointPart], model: ParameterStore, _ communicator: any Communicator) throws(RunError) {
    rank = communicator.rank
    let (tensors, common): ([String: Shape], Set<String>)
    do {
      let text = try JSONEncoder().encode(parts.map { CheckpointPiece($0, in: "") })
      let all = try Agreement.exchange([UInt8](text), communicator).map { bytes in
        try JSONDecoder().decode([CheckpointPiece].self, from: Data(bytes))
      }
      tensors = Dictionary(all.joined().map { ($0.name, Shape($0.shape)) }, uniquingKeysWith: { first, _ in first })
      let whole = all.map { Set($0.filter(\.isWhole).map(\.name)) }
      common = whole.dropFirst().reduce(whole[0]) { $0.intersection($1) }
    } catch { throw RunError(error) }
    (self.tensors, self.common) = (tensors, common)
    let modelCount = model.parameters.count + model.states.count
    bytes = 4 * (tensors.values.reduce(0) { $0 + $1.count } + modelCount)
    let (total, ranks) = (common.reduce(0) { $0 + (tensors[$1]?.count ?? 0) }, communicator.size)
    let first = max(0, (total + modelCount) / ranks - (ranks == 1 ? 0 : modelCount))
    let others = max(1, ranks - 1)
    range =
      rank == 0
      ? 0..<(ranks == 1 ? total : first)
      : (first + (total - first) * (rank - 1) / others)..<(first + (total - first) * rank / others)
  }

  /// The parts that this rank writes of those it has.
  package func own(_ parts: [CheckpointPart]) -> [CheckpointPart] {
    var kept = parts.filter { !common.contains($0.name) }
    var start = 0
    for part in parts.filter({ common.contains($0.name) }).sorted(by: { $0.name < $1.name }) {
      let (lower, upper) = (max(range.lowerBound, start), min(range.upperBound, start + part.range.count))
      if lower < upper, let piece = part.clamped(to: (lower - start)..<(upper - start)) { kept.append(piece) }
      start += part.range.count
    }
    return kept
  }
}

extension ModelTrainer {
  /// What is remembered beside the model, as far as this rank holds it, without what is empty.
  var parts: [CheckpointPart] {
    optimizerStates.flatMap { $0.parts(store.layout) }
      + memory.filter { $0.storage.count > 0 }.map {
        CheckpointPart(name: "strategy/\($0.key)", shape: [$0.storage.count], floats: $0.storage.base)
      }
  }
}
