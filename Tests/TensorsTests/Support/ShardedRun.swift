import Tensors

/// Runs a small recorded program over a batch that is cut into shards, which meet: every shard has a program, memory and
/// gradients of its own.
struct ShardedRun {
  /// The arrays of a batch: some are cut along the first axis, the others are the same for all shards.
  struct Arrays {
    var cut: [Array32]
    var common: [Array32]
  }

  /// Rows of the output, of all shards one after the other.
  var output: [Float] = []
  /// Σ output · weights of all shards.
  var loss = 0.0
  /// Gradients of the cut arrays, row after row.
  var cut: [[Float]]
  /// Gradients of the common arrays, summed over shards.
  var common: [[Float]]
  /// What all shards contributed to each of the states.
  var statistics: [[Float]]
  /// Meetings of every shard.
  var meetings = 0

  private final class Shard {
    let executor: Executor
    let gradients: Storage
    let store: ParameterStore
    let parameters: [Parameter]
    let weights: Storage

    init(
      _ arrays: [Array32], _ states: [Array32], weights: [Float]?, _ compute: Compute, fuse: Bool,
      _ build: (Recorder, [Value], [ModelState]) -> Value
    ) {
      var scope = ParameterScope()
      let modelStates = states.enumerated().map { scope.state("s\($0)", $1.shape, initial: 0, momentum: 0.1) }
      let parameters = arrays.enumerated().map { scope.parameter("p\($0)", $1.shape, .constant(0)) }
      let store = ParameterStore(scope.layout)
      for (parameter, array) in zip(parameters, arrays) {
        for (i, scalar) in array.scalars.enumerated() { store.parameters.base[parameter.range.lowerBound + i] = scalar }
      }
      let recorder = Recorder(batch: 1, mode: .training, layout: scope.layout, compute: compute)
      let y = recorder.scope("only") { build(recorder, parameters.map(recorder.parameter), modelStates) }
      let count = recorder.shape(y).count
      let loss = recorder.weightedSum(y, recorder.input(Shape([count]), .float32, rows: 1))
      recorder.result(y)
      if fuse { recorder.fuse() }
      recorder.differentiate([loss])
      (self.parameters, self.store) = (parameters, store)
      let plan = Plan(recorder)
      executor = Executor(plan, pool: Pool(bytes: plan.poolBytes))
      gradients = Storage(zeros: scope.layout.gradientCount)
      for scalar in gradients.scalars.indices { gradients.base[scalar] = .nan }
      self.weights = Storage(zeros: count)
      for i in 0..<count { self.weights.base[i] = weights?[i] ?? 1 }
    }
  }

  /// Cuts a batch into shards of `rows` rows each, records `build` over cut and common arrays, and lets the shards go from
  /// meeting to meeting.  A shard of no rows brings zeros.
  init(
    _ arrays: Arrays, states: [Array32] = [], rows: [Int], weights: [Float]? = nil, compute: Compute = Compute(),
    fuse: Bool = false, build: (Recorder, [Value], [ModelState]) -> Value
  ) {
    let all = rows.reduce(0, +)
    precondition(arrays.cut.allSatisfy { $0.shape[0] == all }, "\(rows) rows do not make the batch")
    var first = 0
    let shards = rows.map { count -> Shard? in
      defer { first += count }
      if count == 0 { return nil }
      func part(_ scalars: [Float]) -> [Float] {
        let width = scalars.count / all
        return Array(scalars[first * width..<(first + count) * width])
      }
      let cut = arrays.cut.map { Array32(Shape([count] + $0.shape.dimensions.dropFirst()), part($0.scalars)) }
      return Shard(cut + arrays.common, states, weights: weights.map(part), compute, fuse: fuse, build)
    }
    let present = zip(shards, rows).compactMap { shard, count in shard.map { ($0, count) } }
    let keys: [UInt64] = [0]
    var targets: [Int32] = [0]
    let meetings = present[0].0.executor.plan.meetings
    keys.withUnsafeBufferPointer { keys in
      targets.withUnsafeMutableBytes { targets in
        for (shard, count) in present {
          var inputs = Executor.Inputs(
            store: shard.store, version: 0, gradients: shard.gradients,
            samples: UnsafeMutableRawPointer(shard.weights.base), targets: targets.baseAddress!,
            sampleKeys: keys.baseAddress!)
          inputs.share = Float(count) / Float(all)
          shard.executor.begin(inputs)
          shard.executor.advance()
        }
        for (index, meeting) in meetings.enumerated() {
          var numbers = [Double](repeating: 0, count: meeting.count)
          for shard in shards {
            let brought =
              shard.map {
                Array(UnsafeBufferPointer(start: $0.executor.numbers(ofMeeting: index), count: meeting.count))
              }
              ?? [Double](repeating: 0, count: meeting.count)
            numbers.withUnsafeMutableBufferPointer { whole in
              brought.withUnsafeBufferPointer { meeting.combine($0.baseAddress!, into: whole.baseAddress!) }
            }
          }
          for (shard, _) in present {
            shard.executor.numbers(ofMeeting: index).update(from: numbers, count: meeting.count)
            shard.executor.advance()
          }
        }
      }
    }
    self.meetings = meetings.count
    func gradient(_ shard: Shard, _ index: Int) -> [Float] {
      Array(shard.gradients.scalars[shard.parameters[index].range])
    }
    func sum(_ parts: [[Float]]) -> [Float] {
      parts.dropFirst().reduce(parts[0]) { sum, part in zip(sum, part).map { $0 + $1 } }
    }
    let used = present.map(\.0)
    output = used.flatMap { Array($0.executor.result(0)) }
    loss = used.reduce(0) { $0 + $1.executor.metric($1.executor.plan.metricCount - 1) }
    cut = arrays.cut.indices.map { index in used.flatMap { gradient($0, index) } }
    common = arrays.common.indices.map { index in sum(used.map { gradient($0, arrays.cut.count + index) }) }
    let layout = used[0].store.layout
    statistics = layout.states.map { state in
      sum(
        used.map { shard in
          let start = shard.store.layout.parameterCount
          return Array(shard.gradients.scalars[start + state.range.lowerBound..<start + state.range.upperBound])
        })
    }
  }
}
