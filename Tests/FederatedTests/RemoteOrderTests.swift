import Federated
import Testing

@Suite("A client follows the orders of its own task, and no others")
struct RemoteOrderTests {
  /// Has nobody visited, and looks at what would be ordered.
  private final class Looking: RemoteVisits {
    let clients: [RemoteClient]
    var orders = 0
    var declined: [String] = []
    /// What is changed of an order, and of the number of clients that mask their uploads.
    let change: (inout VisitOrder, inout Int?) -> Void

    init(_ trial: RemoteTrial, _ change: @escaping (inout VisitOrder, inout Int?) -> Void) throws {
      self.change = change
      let (task, strategy, setting) = try trial.prepared()
      clients = try (0..<9).map { try RemoteClient(task, strategy, setting, client: $0) }
    }

    func visit(_ round: OpenRound) {
      for place in round.places where round.isVisited(place) {
        var order = round.order(place)
        var among: Int? = round.masked == 0 ? nil : round.masked
        change(&order, &among)
        orders += 1
        if let reason = clients[round.client(place)].refusal(of: order, among: among) { declined.append(reason) }
      }
    }
  }

  private func look(
    _ federated: String, _ change: @escaping (inout VisitOrder, inout Int?) -> Void = { _, _ in }
  ) throws -> Looking {
    var trial = RemoteTrial(strategy: "fedavg")
    trial.federated = federated
    let engine = try trial.engine()
    let looking = try Looking(trial, change)
    _ = try trial.run(engine, by: looking)
    #expect(looking.orders > 4)
    return looking
  }

  private static let masked = "secure-aggregation: secagg"

  @Test(
    "Orders of an honest server are followed",
    arguments: [
      "clip: 0.5", "privacy: {clip: 0.5, noise: 1}", "privacy: {clip: adaptive, noise: 0.1}", "privacy: {noise: 0}",
      masked, "\(masked), weighting: clients", "\(masked), stragglers: 0.5",
      "\(masked), stragglers: 0.2, straggler-policy: drop", "\(masked), sampling: poisson",
      "\(masked), privacy: {clip: adaptive, noise: 0.1}", "secure-aggregation: {name: secagg+, neighbours: 2}",
    ])
  func honest(_ federated: String) throws { #expect(try look(federated).declined == []) }

  @Test("A norm that the task does not have, or none where it has one, is declined")
  func norms() throws {
    for (federated, norm) in [
      ("clip: 0.5", 50), ("clip: 0.5", nil), ("clip: 0.5", 0.4), ("privacy: {clip: 0.5, noise: 1}", 0.6),
      ("privacy: {clip: adaptive, noise: 0.1}", nil), ("weighting: samples", 3), ("privacy: {noise: 0}", 1),
    ] as [(String, Double?)] {
      let looking = try look(federated) { order, _ in order.changeLimit = norm }
      #expect(looking.declined.count == looking.orders, "\(federated) \(norm ?? -1)")
      #expect(looking.declined.allSatisfy { $0.contains("which the task does not") })
    }
    // Where the norm follows clients, nobody but the server knows it.
    let free = try look("privacy: {clip: adaptive, noise: 0.1}") { order, _ in order.changeLimit = 7 }
    #expect(free.declined.isEmpty)
  }

  @Test("Under masks whatever would make one client stand out is declined")
  func masks() throws {
    let changes: [(String, (inout VisitOrder, inout Int?) -> Void)] = [
      ("work that weighs nothing", { order, _ in order.weight = 0 }),
      ("orders no work", { order, _ in order.epochs = 0 }),
      ("not what the task says", { order, _ in order.epochs += 1 }),
      ("at rate 0.0", { order, _ in order.learningRate = 0 }),
      ("not what the task says", { order, _ in order.weight += 1 }),
      ("not what the task says", { order, _ in order.totalWeight = 1 << 54 }),
      ("among 2 clients by the order", { _, among in among = 2 }),
      ("whether uploads are masked", { _, among in among = nil }),
    ]
    for (index, (words, change)) in changes.enumerated() {
      let looking = try look(Self.masked, change)
      #expect(looking.declined.count == looking.orders, "change \(index)")
      #expect(looking.declined.allSatisfy { $0.contains(words) }, "\(looking.declined)")
    }
  }
}
