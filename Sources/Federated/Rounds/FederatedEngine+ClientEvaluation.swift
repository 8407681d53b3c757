import Communication
import Datasets
import Layers
import Tensors

extension FederatedEngine {
  /// How the broadcast model does on the samples of clients, and how their personal models do (``ClientHalf/personal(_:)``), as
  /// the clients of a round, counted from 0, would train them.  Collective.
  ///
  /// Nothing that training depends on changes: what clients remember is read and not written, and nothing is uploaded.  Each
  /// group and each client is computed whole by one worker and stands at its place, so that nothing depends on who computed
  /// what.  Cost: the model once over the groups, then a visit and its samples for every client.
  public func evaluate(
    _ test: ClientTest, chunk: Int, round: Int
  ) throws -> (model: ClientEvaluation, personal: ClientEvaluation) {
    let groups = try evaluateGroups(test, chunk: chunk)
    let model = test.groupsOfClients.map { own in
      own.reduce(into: Evaluation()) { sum, group in sum.add(groups[Int(group)]) }
    }
    let personal = try evaluatePersonal(test, chunk: chunk, round: round)
    return (mean(model, test), mean(personal, test))
  }

  /// Sums over each group by the broadcast model.
  private func evaluateGroups(_ test: ClientTest, chunk: Int) throws -> [Evaluation] {
    var isJudged = [Bool](repeating: false, count: test.groups.count)
    for own in test.groupsOfClients { for group in own { isJudged[Int(group)] = true } }
    let pieces = isJudged.indices.filter { isJudged[$0] }.flatMap { group in
      test.pieces(of: group, size: chunk).map { (group: group, samples: $0) }
    }
    var groups = [Evaluation](repeating: Evaluation(), count: test.groups.count)
    for (piece, sum) in zip(pieces, try evaluate(test.source, pieces: pieces.count) { pieces[$0].samples }) {
      groups[piece.group].add(sum)
    }
    return groups
  }

  /// Sums over each client's samples by its personal model.
  private func evaluatePersonal(_ test: ClientTest, chunk: Int, round: Int) throws -> [Evaluation] {
    let learningRate = task.learningRate(round: round)
    let places = test.clients.count
    var failure: (any Error)?
    // Behind the places ranks count those of them that could not go on: others would wait for their numbers.
    let sums = try gather(places + 1) { sums in
      queue.begin(count: places)
      team.run { member in
        failures[member] = nil
        do {
          while let place = try queue.next({ test.clients[$0] }) {
            let client = Int(test.clients[place])
            let epochs = task.local.epochs(client: client, round: round, seed: task.seed)
            sums[place] = try workers[member].judge(
              client, round: round, epochs: epochs, learningRate: learningRate, states, test, place: place, chunk: chunk
            )
          }
        } catch { failures[member] = error }
      }
      failure = failures.lazy.compactMap { $0 }.first
      if failure != nil { sums[places].loss = 1 }
    }
    if let failure { throw failure }
    if sums[places].loss > 0 { throw FederatedError(.refused, "another rank could not judge its clients") }
    return sums.dropLast()
  }

  private func mean(_ sums: [Evaluation], _ test: ClientTest) -> ClientEvaluation {
    let terms = sums.indices.map { Double(test.count($0) * test.source.termsPerSample) }
    return ClientEvaluation(
      losses: zip(sums, terms).map { $0.loss / $1 }, accuracies: zip(sums, terms).map { $0.correct / $1 })
  }
}
