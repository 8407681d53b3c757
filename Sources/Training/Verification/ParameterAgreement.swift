import Communication
import Tensors

/// Whether ranks still hold the same model: bad memory or a broken link changes one silently.
public enum ParameterAgreement {
  /// Throws on every rank alike unless all hold the same parameters, states and further blocks, bit for bit; names those that
  /// differ from the majority, or all where there is none; `unit` is what is counted.  Collective.  Cost: one pass over memory and eight bytes a rank.
  public static func require(
    _ store: ParameterStore, then blocks: [Storage] = [], step: Int, of unit: String = "step",
    _ communicator: any Communicator
  ) throws(RunError) {
    if communicator.size == 1 { return }
    let own = Fingerprint.of([store.parameters, store.states] + blocks)
    let all: [[UInt8]]
    do throws(CommunicationError) {
      all = try Agreement.exchange(withUnsafeBytes(of: own) { Array($0) }, communicator)
    } catch { throw RunError(error) }
    if let message = disagreement(all) {
      throw RunError(
        .desynchronised,
        "after \(unit) \(step) \(message); test the machine's memory and network, then continue from the checkpoint before "
          + "with --resume")
    }
  }

  /// Who holds something else; nil where all hold the same.
  static func disagreement(_ held: [[UInt8]]) -> String? {
    var counts: [[UInt8]: Int] = [:]
    for value in held { counts[value, default: 0] += 1 }
    guard counts.count > 1 else { return nil }
    guard let majority = counts.first(where: { 2 * $0.value > held.count })?.key else {
      return "the \(held.count) ranks hold different parameters (\(groups(held)))"
    }
    let others = held.indices.filter { held[$0] != majority }
    let names = others.map(String.init).joined(separator: ", ")
    return others.count == 1
      ? "rank \(names) of \(held.count) holds other parameters than the rest"
      : "ranks \(names) of \(held.count) hold other parameters than the rest"
  }

  /// `rank 0 against rank 1`, `ranks 0, 2 against ranks 1, 3`.
  private static func groups(_ held: [[UInt8]]) -> String {
    var groups: [(value: [UInt8], ranks: [Int])] = []
    for (rank, value) in held.enumerated() {
      if let index = groups.firstIndex(where: { $0.value == value }) {
        groups[index].ranks.append(rank)
      } else {
        groups.append((value, [rank]))
      }
    }
    return groups.map { group in
      (group.ranks.count == 1 ? "rank " : "ranks ") + group.ranks.map(String.init).joined(separator: ", ")
    }.joined(separator: " against ")
  }
}
