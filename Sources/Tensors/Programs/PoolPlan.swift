/// Places every planned value in one pool so that values alive at the same time never overlap.
///
/// Values are placed largest first at the lowest free offset.  Results of the preparation live as long as the program,
/// because all shards of a step read them.
struct PoolPlan {
  /// Size of the pool.
  private(set) var bytes = 0
  /// Where the scratch memory of each instruction lies.
  private(set) var scratch: [Operand] = []
  private var places: [Int: Int] = [:]
  private let recorder: Recorder
  private var shared: [Value: Value] = [:]

  private struct Interval {
    let bytes: Int
    var first: Int
    var last: Int
    var offset = 0
  }

  init(_ recorder: Recorder, _ instructions: [Instruction], preparations: Int, scratch scratchBytes: [Int]) {
    self.recorder = recorder
    let end = instructions.count
    var lastUse: [Value: Int] = [:]
    for (index, call) in instructions.enumerated() {
      for value in call.inputs + call.outputs { lastUse[recorder.root(value).value] = index }
    }
    for value in recorder.results { lastUse[recorder.root(value).value] = end }

    var intervals: [Value: Interval] = [:]
    for (index, call) in instructions.enumerated() {
      for (position, output) in call.outputs.enumerated() {
        let root = recorder.root(output).value
        guard case .planned = recorder[root].residence, intervals[root] == nil, shared[root] == nil else { continue }
        let isPrepared = index < preparations
        let last = isPrepared ? end : lastUse[root] ?? index
        if !isPrepared, let owner = reusable(call, position, index, lastUse, intervals) {
          shared[root] = owner
          intervals[owner]?.last = last
          lastUse[owner] = last
        } else {
          intervals[root] = Interval(bytes: recorder[root].bytes, first: isPrepared ? 0 : index, last: last)
        }
      }
    }
    var all = intervals.map { (key: $0.key.index, interval: $0.value) }
    for (index, bytes) in scratchBytes.enumerated() where bytes > 0 {
      all.append((key: -1 - index, interval: Interval(bytes: bytes, first: index, last: index)))
    }
    place(&all)
    for (key, interval) in all { places[key] = interval.offset }
    scratch = instructions.indices.map { Operand(space: Space.pool.rawValue, offset: places[-1 - $0] ?? 0) }
  }

  /// The input whose memory an output may take over, because nobody reads it afterwards.
  private func reusable(
    _ call: Instruction, _ position: Int, _ index: Int, _ lastUse: [Value: Int], _ intervals: [Value: Interval]
  ) -> Value? {
    for pair in call.operation.inPlace where pair.output == position && pair.input < call.inputs.count {
      let root = recorder.root(call.inputs[pair.input]).value
      let owner = shared[root] ?? root
      let uses = call.inputs.filter { recorder.root($0).value == root }.count
      let isTaken = call.outputs.contains { shared[recorder.root($0).value] == owner }
      guard let interval = intervals[owner], interval.last == index, lastUse[root] == index, uses == 1, !isTaken,
        recorder[call.outputs[position]].bytes == interval.bytes
      else { continue }
      return owner
    }
    return nil
  }

  private mutating func place(_ all: inout [(key: Int, interval: Interval)]) {
    all.sort { ($0.interval.bytes, $1.key) > ($1.interval.bytes, $0.key) }
    for index in all.indices {
      let interval = all[index].interval
      let size = PoolPlan.aligned(interval.bytes)
      let neighbours = all[..<index].map(\.interval).filter {
        $0.first <= interval.last && interval.first <= $0.last
      }.sorted { $0.offset < $1.offset }
      // Memory that a value of this size had until shortly before is still in the cache.
      let used = all[..<index].map(\.interval).filter {
        $0.bytes == interval.bytes && $0.last < interval.first
      }.sorted { $0.last > $1.last }.first { known in
        neighbours.allSatisfy {
          $0.offset >= known.offset + size || $0.offset + PoolPlan.aligned($0.bytes) <= known.offset
        }
      }
      var offset = 0
      for neighbour in neighbours where used == nil && offset + size > neighbour.offset {
        offset = max(offset, neighbour.offset + PoolPlan.aligned(neighbour.bytes))
      }
      offset = used?.offset ?? offset
      all[index].interval.offset = offset
      bytes = max(bytes, offset + size)
    }
  }

  /// Where a value lies.
  func operand(_ value: Value) -> Operand {
    let (root, offset) = recorder.root(value)
    switch recorder[root].residence {
    case .fixed(let space, let start): return Operand(space: space.rawValue, offset: start + offset)
    default:
      guard let place = places[(shared[root] ?? root).index] else {
        preconditionFailure("\(recorder.shape(value)) is read before an instruction makes it")
      }
      return Operand(space: Space.pool.rawValue, offset: place + offset)
    }
  }

  static func aligned(_ bytes: Int) -> Int { (bytes + 63) & ~63 }
}
