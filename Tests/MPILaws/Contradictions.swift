import Communication
import Glibc

/// Lets the last rank call something else than the others.
func contradict(_ world: any Communicator, _ what: String) throws {
  let isOdd = world.rank == world.size - 1
  let floats = UnsafeMutableBufferPointer<Float>.allocate(capacity: 6 * world.size)
  floats.initialize(repeating: 1)
  defer { floats.deallocate() }
  func first(_ count: Int) -> UnsafeMutableBufferPointer<Float> { .init(rebasing: floats[..<count]) }
  switch what {
  case "kind":
    if isOdd { try world.broadcast(first(6), root: 0) } else { try world.allReduce(first(6), .sum) }
  case "count": try world.allReduce(first(isOdd ? 5 : 6), .sum)
  case "empty": try world.broadcast(first(isOdd ? 0 : 6), root: 0)
  case "type":
    if isOdd { return try world.broadcast(.init(rebasing: floats[..<12]), root: 0) }
    try first(12).withMemoryRebound(to: Int32.self) { try world.broadcast($0, root: 0) }
  case "reduction": try world.allReduce(first(6), isOdd ? .maximum : .sum)
  case "label": try world.wait(try world.startAllReduce(first(6), .sum, label: isOdd ? 4 : 3))
  case "skip":
    let tree = ReductionTree(
      blocks: Array(repeating: 1, count: world.size), additions: (1..<world.size).map { (0, $0) })
    let blocks = UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>>.allocate(capacity: 1)
    blocks.initialize(repeating: floats.baseAddress!)
    defer { blocks.deallocate() }
    for bucket in 0..<3 where !(isOdd && bucket == 1) {
      let request = try world.startTreeReduce(UnsafeBufferPointer(blocks), count: 6, tree: tree, label: bucket)
      try world.wait(request)
    }
  case "last":  // and then the end of the program
    try world.barrier()
    if !isOdd { try world.allReduce(first(6), .sum) }
  case "group":  // the odd rank skips a call in one group and waits in another
    let other = try world.split(color: 0, key: world.rank)
    if !isOdd { try world.allReduce(first(6), .sum) }
    try other.allReduce(first(6), .maximum)
  case "inside":  // the odd rank waits in a group of two neighbours, the others in the whole
    let pair = try world.split(color: world.rank / 2, key: 0)
    if isOdd { try pair.allReduce(first(5), .sum) }
    try world.allReduce(first(6), .sum)
  case "pair":
    let counts = Array(repeating: isOdd ? 1 : 2, count: world.size)
    let output = UnsafeMutableBufferPointer<Float>.allocate(capacity: 6 * world.size)
    defer { output.deallocate() }
    let total = counts.reduce(0, +)
    try world.allToAll(
      UnsafeBufferPointer(first(total)), sendCounts: counts, into: .init(rebasing: output[..<total]),
      receiveCounts: counts)
  case "slow":  // no contradiction: a rank that has much to do
    if isOdd { sleep(3) }
    try world.allReduce(first(6), .sum)
    if world.rank == 0 { print("sum \(floats[0])") }
  default: preconditionFailure("contradict \(what)")
  }
}
