import Communication
import Foundation

extension MemoryEstimate {
  /// Refuses, on all ranks alike, what the ranks of a host need together and the host does not have: allocating it would end
  /// processes without a word.  Collective; call it before anything large is allocated.
  package func require(
    for purpose: String, _ communicator: any Communicator, host: String = MachineMemory.hostName,
    available: Int = MachineMemory.available, isFederation: Bool = false
  ) throws(RunError) {
    let own = ([available] + Part.allCases.map { self[$0] }).map(String.init).joined(separator: " ") + " " + host
    let all: [[UInt8]]
    do throws(CommunicationError) { all = try Agreement.exchange(Array(own.utf8), communicator) } catch {
      throw RunError(error)
    }
    var hosts: [Host] = []
    for text in all {
      let words = String(decoding: text, as: UTF8.self).split(separator: " ", maxSplits: Part.allCases.count + 1)
      let numbers = words.dropLast().compactMap { Int($0) }
      let name = words.last.map(String.init) ?? ""
      let index = hosts.firstIndex { $0.name == name } ?? hosts.count
      if index == hosts.count { hosts.append(Host(name: name)) }
      hosts[index].add(available: numbers[0], zip(Part.allCases, numbers.dropFirst()))
    }
    if let host = hosts.first(where: { $0.needed.bytes > $0.available }) {
      throw RunError(.refused, host.refusal(of: purpose, isFederation: isFederation))
    }
  }

  /// The ranks of a host together.
  private struct Host {
    let name: String
    var ranks = 0
    var needed = MemoryEstimate()
    /// The least that any of its ranks saw: the others had not read their data yet.
    var available = Int.max

    mutating func add(available: Int, _ parts: some Sequence<(Part, Int)>) {
      ranks += 1
      self.available = min(self.available, available)
      needed = needed + MemoryEstimate(parts)
    }

    func refusal(of purpose: String, isFederation: Bool) -> String {
      let isLarge = needed.bytes >= 1 << 30
      func number(_ bytes: Int) -> String { String(format: "%.1f", Double(bytes) / (isLarge ? 0x1p30 : 0x1p20)) }
      let unit = isLarge ? "GiB" : "MiB"
      let parts = Part.allCases.map { ($0.rawValue, number(needed[$0])) }.filter { $0.1 != "0.0" }
        .map { "\($0.0) \($0.1)" }.joined(separator: ", ")
      let largest = Part.allCases.max { needed[$0] < needed[$1] } ?? .weights
      let remedy = isFederation ? largest.federatedRemedy : largest.remedy(hasReplicas: needed[.replicas] > 0)
      return "\(purpose) needs \(number(needed.bytes)) \(unit) of memory on host \(name) "
        + "(\(ranks) \(ranks == 1 ? "rank" : "ranks"): \(parts)), and \(number(available)) \(unit) are free; \(remedy)"
        + (ranks == 1 ? "" : " or start fewer ranks here")
    }
  }
}

extension MemoryEstimate.Part {
  /// What makes it smaller.
  fileprivate func remedy(hasReplicas: Bool) -> String {
    switch self {
    case .activations, .batches:
      "lower training.batch or training.evaluation-batch, raise training.shards, set training.recompute"
    case .gradients: "make the model smaller, lower training.shards"
    case .weights, .replicas, .optimizer, .strategy, .clients, .snapshot:
      "make the model smaller" + (hasReplicas ? ", lower training.shards" : "")
    }
  }

  /// What makes it smaller in a federation, where every thread has a model of its own.
  fileprivate var federatedRemedy: String {
    switch self {
    case .activations, .batches: "lower federated.batch, training.evaluation-batch or compute.threads"
    case .clients: "lower federated.state-memory"
    case .strategy: "lower federated.cohort or compute.threads, make the model smaller"
    case .weights, .replicas, .gradients, .optimizer, .snapshot: "make the model smaller, lower compute.threads"
    }
  }
}
