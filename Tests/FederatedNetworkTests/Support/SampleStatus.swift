import FederatedNetwork

extension FederationStatus {
  /// What a hostile client calls itself.
  static let hostileName = "<script>alert(1)</script>\"'&\\\u{2028}</td>"

  /// A federation in the middle of a round, with clients in every state; the same for the same arguments.
  static func sample(clients: Int, rounds: Int = 37, of total: Int = 50, at now: Double = 1_700_000_000) -> Self {
    var status = FederationStatus(
      name: "fashion-federated", strategy: "fedavg", rounds: total, clients: clients, started: now - 754)
    guard rounds > 0 else { return status }
    status.state = .inRound
    status.round = rounds
    status.cohort = Cohort(needed: 10, arrived: 7, deadline: now + 12)
    status.privacy = Privacy(epsilon: 2.3456, delta: 1e-5)
    status.digest = String(repeating: "5eed", count: 16)
    (status.updates, status.rejected, status.lost, status.skipped) = (rounds * 10 + 7, 3, 11, 1)
    (status.wireBytesIn, status.wireBytesOut) = (151 << 20, 160 << 20)
    for round in 1...rounds {
      let progress = Double(round) / Double(rounds)
      status.history.append(
        RoundHistory.Point(
          round: round, loss: 2.3 / (1 + 6 * progress), accuracy: round % 2 == 0 ? nil : 0.9 - 0.8 / (1 + 9 * progress),
          bytesUp: 4_000_000 + 40_000 * (round * 7 % 11), bytesDown: 4_400_000))
    }
    status.bytesUp = status.history.points.reduce(0) { $0 + $1.bytesUp }
    status.bytesDown = status.history.points.reduce(0) { $0 + $1.bytesDown }
    let states = ClientStatus.State.allCases
    for number in status.clients.indices {
      status.clients[number].state = states[(number * 5 + 3) % states.count]
      status.clients[number].name = number == 1 ? hostileName : "node-\(number)"
      status.clients[number].address = "10.0.\(number / 250).\(number % 250 + 1)"
      status.clients[number].rounds = number * 3 % 38
      status.clients[number].accepted = number * 3 % 37
      status.clients[number].rejected = number % 9 == 4 ? 1 : 0
      status.clients[number].lastSeen = number == 3 ? nil : now - Double(number * number % 4000)
      status.clients[number].bytesUp = number * 411_337
      status.clients[number].bytesDown = number * 455_001
      if status.clients[number].state == .rejected {
        status.clients[number].remark = "linear1.weight holds a value that is not finite"
      }
    }
    return status
  }
}
