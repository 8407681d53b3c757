import Dispatch
import Optimizers
import Tensors
import Testing

@Suite("Laws every update rule obeys")
struct RuleLawTests {
  /// More than one block in a parameter, a vector, a scalar, nothing, and lengths that fill no vector register.
  let shapes: [Shape] = [[67, 131], [131], [], [0, 3], [3, 5, 7], [4097]]

  @Test(arguments: rules.indices)
  func updatingInRangesIsUpdatingTheWhole(_ index: Int) {
    let whole = Replica(rules[index], shapes)
    let parts = Replica(rules[index], shapes)
    let blocks = ParameterBlocks(whole.layout)
    let count = whole.weights.count
    for step in 0..<4 {
      whole.step(step, scale: 0.7)
      let cut = [1, 77, 4096, 8777, 8900, 9001][step]
      parts.step(
        step, parts: blocks.parts(step + 1).reversed(),
        updatedIn: [cut + 5..<count, 0..<1, 1..<cut, cut..<cut + 5, 7..<7], scale: 0.7)
    }
    #expect(whole.bits == parts.bits)
    for (a, b) in zip(whole.optimizer.states, parts.optimizer.states) {
      #expect(Array(a.storage.scalars) == Array(b.storage.scalars))
    }
  }

  @Test(arguments: rules.indices)
  func threadsMayUpdateDisjointRangesAtOnce(_ index: Int) {
    let alone = Replica(rules[index], shapes)
    let threaded = Replica(rules[index], shapes)
    let parts = ParameterBlocks(alone.layout).parts(4)
    for step in 0..<3 {
      alone.step(step)
      threaded.gradients.copy(from: alone.gradients)
      let (optimizer, weights, gradients) = (threaded.optimizer, threaded.weights, threaded.gradients)
      DispatchQueue.concurrentPerform(iterations: parts.count) { part in
        optimizer.measure(parameters: weights.base, gradients: gradients.base, range: parts[part], step: step)
      }
      DispatchQueue.concurrentPerform(iterations: parts.count) { part in
        optimizer.update(
          parameters: weights.base, gradients: gradients.base, range: parts[part], step: step, learningRate: 0.05)
      }
    }
    #expect(alone.bits == threaded.bits)
  }

  /// As sharded training does it: each rank owns the state of its range, and norms of blocks are exchanged.
  @Test(arguments: rules.indices, [1, 2, 3, 7])
  func optimizersOfShardsAreOneOfTheWhole(_ index: Int, ranks: Int) {
    let whole = Replica(rules[index], shapes)
    let sharded = Replica(rules[index], shapes)
    let shards = ParameterBlocks(whole.layout).parts(ranks)
    let optimizers = shards.map { Optimizer(rules[index], layout: whole.layout, range: $0) }
    for step in 0..<3 {
      whole.step(step)
      sharded.gradients.copy(from: whole.gradients)
      for (optimizer, shard) in zip(optimizers, shards) {
        optimizer.measure(
          parameters: sharded.weights.base, gradients: sharded.gradients.base, range: shard, step: step)
      }
      exchange(optimizers, shards)
      for (optimizer, shard) in zip(optimizers, shards) {
        optimizer.update(
          parameters: sharded.weights.base, gradients: sharded.gradients.base, range: shard, step: step,
          learningRate: 0.05)
      }
    }
    #expect(whole.bits == sharded.bits)
    #expect(optimizers.map(\.stateBytes).reduce(0, +) == whole.optimizer.stateBytes)
  }

  /// All-gathers the norms that each rank measured.
  private func exchange(_ optimizers: [Optimizer], _ shards: [Range<Int>]) {
    for (sender, shard) in zip(optimizers, shards) {
      guard let sent = sender.norms else { continue }
      for receiver in optimizers {
        guard let received = receiver.norms else { continue }
        for block in sent.blocks.blocks(in: shard) {
          for number in 0..<ParameterNorms.numbersPerBlock {
            let index = block * ParameterNorms.numbersPerBlock + number
            received.numbers[index] = sent.numbers[index]
          }
        }
      }
    }
  }

  @Test(arguments: rules.indices)
  func restoredStateContinuesWithTheSameBits(_ index: Int) {
    let replica = Replica(rules[index], shapes)
    for step in 0..<3 { replica.step(step) }
    let resumed = Replica(rules[index], shapes)
    resumed.weights.copy(from: replica.weights)
    let count = replica.weights.count
    for state in replica.optimizer.states {
      for slice in [0..<10, 10..<5000, 5000..<count] {
        resumed.optimizer.restore(state.name, slice, from: state.storage.base + slice.lowerBound)
      }
    }
    for step in 3..<6 {
      replica.step(step)
      resumed.step(step)
    }
    #expect(replica.bits == resumed.bits)
  }

  @Test func restoringPassesOverWhatAnotherRankHolds() {
    let optimizer = Optimizer(SGD(momentum: 0.5), layout: layout([[10]]), range: 3..<6)
    let saved = Storage(zeros: 10)
    for i in 0..<10 { saved.base[i] = Float(i) }
    optimizer.restore("momentum", 0..<5, from: saved.base)
    #expect(Array(optimizer.states[0].storage.scalars) == [3, 4, 0])
    optimizer.restore("momentum", 5..<10, from: saved.base + 5)
    #expect(Array(optimizer.states[0].storage.scalars) == [3, 4, 5])
    optimizer.restore("momentum", 0..<3, from: saved.base + 5)
    #expect(Array(optimizer.states[0].storage.scalars) == [3, 4, 5])
    optimizer.reset()
    #expect(Array(optimizer.states[0].storage.scalars) == [0, 0, 0])
  }

  @Test(
    arguments: [
      SGD(), SGD(momentum: 0.9, nesterov: true), SGD(momentum: 0.9, decoupled: true), Adam(), AdamW(weightDecay: 0),
      RMSprop(), RMSprop(momentum: 0.9, centered: true), LARS(weightDecay: 0), LARS(),
    ] as [any UpdateRule])
  func zeroGradientsWithoutDecayLeaveParameters(_ rule: any UpdateRule) {
    // With decay, LARS excludes vectors from it: only those stay.
    let replica = Replica(rule, rule is LARS ? [[40]] : shapes)
    let before = replica.bits
    for step in 0..<3 { replica.apply(step) }
    #expect(replica.bits == before)
  }

  @Test(
    arguments: [
      SGD(weightDecay: 0.5), SGD(momentum: 0.9, weightDecay: 0.5, decoupled: true), Adam(weightDecay: 0.5), AdamW(),
      RMSprop(weightDecay: 0.5), LARS(weightDecay: 0.5),
    ] as [any UpdateRule])
  func decayAlonePullsWeightsTowardsZero(_ rule: any UpdateRule) {
    let replica = Replica(rule, [[4, 10]])
    let before = Array(replica.weights.scalars)
    replica.apply(0)
    #expect(zip(before, replica.weights.scalars).allSatisfy { ($1 - $0) * $0 < 0 })
  }

  @Test(arguments: rules.indices, [Float.nan, .infinity])
  func brokenGradientsReachTheirParameter(_ index: Int, value: Float) {
    let replica = Replica(rules[index], [[5, 5], [5]])
    replica.step(0)
    replica.gradients.base[7] = value
    replica.gradients.base[27] = value
    replica.apply(1)
    #expect(!replica.weights.base[7].isFinite)
    #expect(!replica.weights.base[27].isFinite)
    replica.step(2)
    #expect(!replica.weights.base[7].isFinite)
    #expect(!replica.weights.base[27].isFinite)
  }

  @Test(arguments: rules.indices)
  func brokenScalesBreakAllParameters(_ index: Int) {
    let replica = Replica(rules[index], [[5, 5], [5]])
    replica.step(0, scale: GradientNorm.scale(norm: .nan, clip: 1))
    #expect(replica.weights.scalars.allSatisfy { $0.isNaN })
  }

  /// Rounding makes the variance of equal gradients slightly negative sometimes.
  @Test func centredRMSpropStaysFiniteOnEqualGradients() {
    let replica = Replica(RMSprop(centered: true), [[1000]])
    for i in 0..<1000 { replica.gradients.base[i] = Float(i) * 0.37 - 100 }
    for step in 0..<3000 { replica.apply(step) }
    #expect(replica.weights.scalars.allSatisfy { $0.isFinite })
  }

  @Test func aLayerwiseRuleRefusesNormsOfAnotherStep() async {
    await #expect(processExitsWith: .success) {
      let replica = Replica(LARS(), [[5, 5]])
      replica.apply(0)
      replica.apply(1)
    }
    await #expect(processExitsWith: .failure) {
      let replica = Replica(LARS(), [[5, 5]])
      replica.apply(0)
      replica.apply(1, parts: [])
    }
  }

  @Test func statesAreNamedByTheRule() {
    let names = rules.map { $0.stateNames }
    #expect(
      names == [
        [], ["momentum"], ["momentum"], ["first-moment", "second-moment"], ["first-moment", "second-moment"],
        ["square-average"], ["square-average", "gradient-average", "momentum"], ["momentum"], ["momentum"],
      ])
  }
}
