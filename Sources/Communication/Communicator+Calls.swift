// The calls of a communicator. n is the number of elements of the whole buffer, nᵣ that of rank r's part, p the number
// of ranks; costs are elements sent by rank r. Empty buffers and a single rank are fine everywhere.

extension Communicator {
  /// Returns when every rank has called it. Sends no payload.
  public func barrier() throws(CommunicationError) { try perform(.barrier) }

  /// Copies the root's buffer to all ranks. Root sends (p−1)·n.
  public func broadcast<T: Communicable>(
    _ buffer: UnsafeMutableBufferPointer<T>, root: Int
  ) throws(CommunicationError) {
    try perform(.broadcast(buffer, root: root))
  }

  /// Replaces every rank's buffer by the combination of all, folded in rank order. Sends n + (p−2)·nᵣ, about
  /// 2(p−1)/p·n.
  public func allReduce<T: Communicable>(
    _ buffer: UnsafeMutableBufferPointer<T>, _ reduction: Reduction
  ) throws(CommunicationError) {
    try perform(.allReduce(buffer, reduction, ranks: size))
  }

  /// Combines inputs of p·m elements in rank order; rank r gets elements r·m … (r+1)·m−1. Sends n − nᵣ.
  /// Input and output must not overlap.
  public func reduceScatter<T: Communicable>(
    _ input: UnsafeBufferPointer<T>, into output: UnsafeMutableBufferPointer<T>, _ reduction: Reduction
  ) throws(CommunicationError) {
    try perform(.reduceScatter(input, into: output, parts: .equal(output.count), reduction, ranks: size))
  }

  /// Combines inputs in rank order; rank r gets the `counts[r]` elements of part r. Sends n − nᵣ.
  /// Input and output must not overlap.
  public func reduceScatter<T: Communicable>(
    _ input: UnsafeBufferPointer<T>, into output: UnsafeMutableBufferPointer<T>, counts: [Int], _ reduction: Reduction
  ) throws(CommunicationError) {
    try perform(.reduceScatter(input, into: output, parts: .listed(counts), reduction, ranks: size))
  }

  /// Concatenates inputs of one size: `output.count == size * input.count`, block r comes from rank r. Sends (p−1)·nᵣ.
  public func allGather<T: Communicable>(
    _ input: UnsafeBufferPointer<T>, into output: UnsafeMutableBufferPointer<T>
  ) throws(CommunicationError) {
    try perform(.allGather(input, into: output, parts: .equal(input.count), ranks: size))
  }

  /// Concatenates inputs of `counts[r]` elements. Sends (p−1)·nᵣ. The input may be this rank's own part of the output,
  /// which then is not copied; otherwise the two must not overlap.
  public func allGather<T: Communicable>(
    _ input: UnsafeBufferPointer<T>, into output: UnsafeMutableBufferPointer<T>, counts: [Int]
  ) throws(CommunicationError) {
    try perform(.allGather(input, into: output, parts: .listed(counts), ranks: size))
  }

  /// Sends `sendCounts[r]` elements, in rank order, to each rank r and receives `receiveCounts[r]` from it. Sends
  /// n − nᵣ. Input and output must not overlap.
  public func allToAll<T: Communicable>(
    _ input: UnsafeBufferPointer<T>, sendCounts: [Int], into output: UnsafeMutableBufferPointer<T>,
    receiveCounts: [Int]
  ) throws(CommunicationError) {
    try perform(
      .allToAll(
        input, sendParts: .listed(sendCounts), into: output, receiveParts: .listed(receiveCounts), ranks: size))
  }

  /// Adds the blocks that all ranks bring, in the order of `tree`. Then the first block of every rank holds the sum; its
  /// other blocks are used up. With kᵣ blocks, rank r sends kᵣ·(n − nᵣ) + (p−1)·nᵣ, where nᵣ is its part of the n elements,
  /// spread evenly in whole cache lines of 16. What `blocks` points to stays valid until the call has ended.
  public func treeReduce(
    _ blocks: UnsafeBufferPointer<UnsafeMutablePointer<Float>>, count: Int, tree: ReductionTree
  ) throws(CommunicationError) {
    try perform(.treeReduce(blocks, count: count, tree: tree))
  }

  /// Sends a message. It may return only when the other rank receives: two ranks that exchange use `startSend`.
  /// Messages between two ranks with one tag arrive in order; their counts and types must agree. Sends n.
  public func send<T: Communicable>(
    _ buffer: UnsafeBufferPointer<T>, to rank: Int, tag: Int = 0
  ) throws(CommunicationError) {
    try perform(.send(buffer, to: rank, tag: tag))
  }

  /// Receives a message of exactly the buffer's size.
  public func receive<T: Communicable>(
    _ buffer: UnsafeMutableBufferPointer<T>, from rank: Int, tag: Int = 0
  ) throws(CommunicationError) {
    try perform(.receive(buffer, from: rank, tag: tag))
  }
}

// A label, such as the number of a bucket, is the same on every rank; it stands in messages and ledgers.
extension Communicator {
  /// Starts `barrier`.
  public func startBarrier(label: Int = Exchange.unlabelled) throws(CommunicationError) -> Request {
    try start(.barrier.labelled(label))
  }

  /// Starts `broadcast`.
  public func startBroadcast<T: Communicable>(
    _ buffer: UnsafeMutableBufferPointer<T>, root: Int, label: Int = Exchange.unlabelled
  ) throws(CommunicationError) -> Request {
    try start(.broadcast(buffer, root: root).labelled(label))
  }

  /// Starts `allReduce`.
  public func startAllReduce<T: Communicable>(
    _ buffer: UnsafeMutableBufferPointer<T>, _ reduction: Reduction, label: Int = Exchange.unlabelled
  ) throws(CommunicationError) -> Request {
    try start(.allReduce(buffer, reduction, ranks: size).labelled(label))
  }

  /// Starts `reduceScatter`.
  public func startReduceScatter<T: Communicable>(
    _ input: UnsafeBufferPointer<T>, into output: UnsafeMutableBufferPointer<T>, counts: [Int], _ reduction: Reduction,
    label: Int = Exchange.unlabelled
  ) throws(CommunicationError) -> Request {
    try start(.reduceScatter(input, into: output, parts: .listed(counts), reduction, ranks: size).labelled(label))
  }

  /// Starts `allGather`.
  public func startAllGather<T: Communicable>(
    _ input: UnsafeBufferPointer<T>, into output: UnsafeMutableBufferPointer<T>, counts: [Int],
    label: Int = Exchange.unlabelled
  ) throws(CommunicationError) -> Request {
    try start(.allGather(input, into: output, parts: .listed(counts), ranks: size).labelled(label))
  }

  /// Starts `allToAll`.
  public func startAllToAll<T: Communicable>(
    _ input: UnsafeBufferPointer<T>, sendCounts: [Int], into output: UnsafeMutableBufferPointer<T>,
    receiveCounts: [Int], label: Int = Exchange.unlabelled
  ) throws(CommunicationError) -> Request {
    try start(
      .allToAll(
        input, sendParts: .listed(sendCounts), into: output, receiveParts: .listed(receiveCounts), ranks: size
      )
      .labelled(label))
  }

  /// Starts `treeReduce`.
  public func startTreeReduce(
    _ blocks: UnsafeBufferPointer<UnsafeMutablePointer<Float>>, count: Int, tree: ReductionTree,
    label: Int = Exchange.unlabelled
  ) throws(CommunicationError) -> Request {
    try start(.treeReduce(blocks, count: count, tree: tree).labelled(label))
  }

  /// Starts `send`.
  public func startSend<T: Communicable>(
    _ buffer: UnsafeBufferPointer<T>, to rank: Int, tag: Int = 0, label: Int = Exchange.unlabelled
  ) throws(CommunicationError) -> Request {
    try start(.send(buffer, to: rank, tag: tag).labelled(label))
  }

  /// Starts `receive`.
  public func startReceive<T: Communicable>(
    _ buffer: UnsafeMutableBufferPointer<T>, from rank: Int, tag: Int = 0, label: Int = Exchange.unlabelled
  ) throws(CommunicationError) -> Request {
    try start(.receive(buffer, from: rank, tag: tag).labelled(label))
  }
}
