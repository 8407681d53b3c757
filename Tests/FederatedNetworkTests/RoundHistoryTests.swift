import FederatedNetwork
import Testing

@Suite("A history of rounds") struct RoundHistoryTests {
  @Test(
    "keeps evenly spaced rounds and the newest, never more than its limit",
    arguments: [
      0, 1, 2, 1999, 2000, 2001, 3998, 4000, 8001, 100_003,
    ])
  func thinned(_ rounds: Int) {
    var history = RoundHistory()
    for round in 0..<rounds {
      history.append(RoundHistory.Point(round: round + 1, loss: Double(round), accuracy: nil, bytesUp: 1, bytesDown: 2))
    }
    let kept = history.points.map(\.round)
    #expect(history.recorded == rounds)
    #expect(kept.count <= RoundHistory.limit)
    #expect(kept.count >= min(rounds, RoundHistory.limit / 2 - 1))
    #expect(kept.last == (rounds == 0 ? nil : rounds))
    #expect(kept.dropLast() == kept.indices.dropLast().map { $0 * history.stride + 1 }[...])
    #expect(history.loss == (rounds == 0 ? nil : Double(rounds - 1)))
    #expect(history.accuracy == nil)
  }

  @Test("holds a round whose loss is no number once") func notFinite() {
    var history = RoundHistory()
    for round in 1...3 {
      history.append(RoundHistory.Point(round: round, loss: .nan, accuracy: nil, bytesUp: 0, bytesDown: 0))
    }
    #expect(history.points.map(\.round) == [1, 2, 3])
    #expect(history.loss?.isNaN == true)
  }
}
