import Communication
import Foundation
import Tensors
import Testing
import Training

@Suite("Ranks share the work of a checkpoint")
struct CheckpointSharesTests {
  let sample = PersistenceSample(seed: 2)

  /// What a rank holds: two blocks that all have, one of its own, and a slice of another.
  func parts(rank: Int, ranks: Int, _ own: Storage, _ sliced: Storage) -> [CheckpointPart] {
    let range = (rank * sliced.count / ranks)..<((rank + 1) * sliced.count / ranks)
    let mine = CheckpointPart(name: "strategy/shard\(rank).residual", shape: [own.count], floats: own.base)
    let slice = CheckpointPart(
      name: "optimizer/sliced", shape: [sliced.count], range: range, floats: sliced.base + range.lowerBound)
    return sample.parts + [mine] + (range.isEmpty ? [] : [slice])
  }

  @Test("every scalar is written once, by ranks that write about as much as each other", arguments: 1...8)
  func shares(ranks: Int) throws {
    let own = Storage(zeros: 100), sliced = Storage(zeros: 1001)
    let outcomes = try InProcessCommunicator.run(ranks: ranks) { communicator in
      let parts = parts(rank: communicator.rank, ranks: ranks, own, sliced)
      let shares = try CheckpointShares(parts, model: sample.store, communicator)
      return (shares.own(parts).map { CheckpointPiece($0, in: "") }, shares.bytes)
    }.map { try $0.get() }
    let pieces = outcomes.flatMap(\.0)
    for name in Set(pieces.map(\.name)) {
      var end = 0
      for piece in pieces.filter({ $0.name == name }).sorted(by: { $0.first < $1.first }) {
        #expect(piece.first == end, "\(name)")
        end += piece.count
      }
      #expect(end == pieces.first { $0.name == name }?.shape.reduce(1, *), "\(name)")
    }
    let model = sample.store.parameters.count + sample.store.states.count
    var scalars = outcomes.map { $0.0.reduce(0) { $0 + $1.count } }
    scalars[0] += model
    #expect(outcomes.allSatisfy { $0.1 == 4 * scalars.reduce(0, +) })
    let even = max(scalars.reduce(0, +) / ranks, model)
    #expect(scalars.allSatisfy { $0 <= even + sliced.count / ranks + own.count + 2 }, "\(scalars)")
  }

  @Test("what a rank cannot write itself rank 0 is sent, and sends back", arguments: [2, 3, 4])
  func blindRanks(ranks: Int) throws {
    _ = try InProcessCommunicator.run(ranks: ranks) { communicator in
      let rank = communicator.rank
      let blind = (0..<ranks).map { $0 > 0 && $0 != 2 }
      let count = 10 + rank
      let numbers = Storage(zeros: count)
      for i in 0..<count { numbers.base[i] = Float(100 * rank + i) }
      let part = CheckpointPart(
        name: "strategy/shard\(rank).x", shape: [2, count], range: 3..<3 + count, floats: numbers.base)
      let received = try PartTransfer.collect([part], blind: blind, communicator)
      #expect(
        received.parts.map(\.name) == (rank > 0 ? [] : (1..<ranks).filter { blind[$0] }.map { "strategy/shard\($0).x" })
      )
      for (part, room) in zip(received.parts, received.room) {
        #expect(part.shape.dimensions == [2, room.count] && part.range == 3..<3 + room.count)
        #expect(room.base[1] == Float(100 * (room.count - 10) + 1))
      }
      numbers.clear()
      try PartTransfer.deliver([part], blind: blind, communicator) { name, range, target in
        for i in range { target[i - range.lowerBound] = Float(i) + (name.hasSuffix("1.x") ? 0.5 : 0) }
      }
      #expect(numbers.base[1] == (blind[rank] ? (rank == 1 ? 4.5 : 4) : 0))
    }.map { try $0.get() }
  }
}
