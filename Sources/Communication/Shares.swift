/// What a rank does in a collective whose values it can all reach: the one implementation behind every shared memory.
///
/// `sources` are the values of all ranks, by rank; counts are elements. Ranks do disjoint shares, so that they need no lock.
package enum Shares {
  /// Bytes folded at once: what stays in the first-level cache while several buffers pass.
  private static let blockBytes = 8_192

  /// Copies bytes, unless they are in their place.
  @inline(__always)
  package static func copy(from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, bytes: Int) {
    if bytes > 0, source != UnsafeRawPointer(target) { target.copyMemory(from: source, byteCount: bytes) }
  }

  /// An all-reduce's share: folds a part of all buffers into rank 0's and copies it to the others.
  package static func combine(
    _ sources: UnsafePointer<UnsafeMutableRawPointer>, ranks: Int, from start: Int, count: Int,
    _ reduction: Reduction, _ type: ElementType
  ) {
    let stride = type.stride
    let first = sources[0]
    var done = 0
    while done < count {
      let block = min(blockBytes / stride, count - done)
      let offset = (start + done) * stride
      for rank in 1..<max(ranks, 1) {
        reduction.fold(sources[rank] + offset, into: first + offset, count: block, type: type)
      }
      for rank in 1..<max(ranks, 1) { copy(from: first + offset, to: sources[rank] + offset, bytes: block * stride) }
      done += block
    }
  }

  /// The share in a call that writes into nobody's memory but the caller's: broadcast, all-gather, all-to-all and
  /// reduce-scatter. Of each part it takes the elements `start ..< start + most`; `sources` begin there, and where a call
  /// cuts the input by destination they are the parts for this rank.
  package static func collect(
    _ call: Exchange, rank: Int, _ sources: UnsafePointer<UnsafeMutableRawPointer>, ranks: Int, from start: Int = 0,
    most: Int = .max
  ) {
    let stride = call.type.stride
    /// Bytes of a part of so many elements.
    func bytes(_ count: Int) -> Int { max(0, min(most, count - start)) * stride }
    switch call.kind {
    case .broadcast:
      if rank == call.peer { return }
      copy(from: sources[call.peer], to: call.output + start * stride, bytes: bytes(call.outputCount))
    case .allGather, .allToAll:
      var offset = start * stride
      for other in 0..<ranks {
        let count = call.outputParts.count(of: other)
        copy(from: sources[other], to: call.output + offset, bytes: bytes(count))
        offset += count * stride
      }
    case .reduceScatter:
      let count = bytes(call.outputCount) / stride
      fold(sources, ranks: ranks, into: call.output + start * stride, count: count, call.reduction, call.type)
    case .barrier, .allReduce, .treeReduce, .send, .receive: break
    }
  }

  /// Folds values of all ranks into memory that is none of theirs.
  package static func fold(
    _ sources: UnsafePointer<UnsafeMutableRawPointer>, ranks: Int, into target: UnsafeMutableRawPointer, count: Int,
    _ reduction: Reduction, _ type: ElementType
  ) {
    let stride = type.stride
    var done = 0
    while done < count {
      let block = min(blockBytes / stride, count - done)
      let offset = done * stride
      copy(from: sources[0] + offset, to: target + offset, bytes: block * stride)
      for rank in 1..<max(ranks, 1) {
        reduction.fold(sources[rank] + offset, into: target + offset, count: block, type: type)
      }
      done += block
    }
  }

  /// A tree-reduce's share: adds a part of all blocks into block 0 and copies it to every rank's first block.
  package static func addTree(
    _ tree: ReductionTree, _ blocks: UnsafePointer<UnsafeMutablePointer<Float>>, from first: Int, count: Int
  ) {
    var start = first
    while start < first + count {
      let chunk = min(ReductionTree.chunk, first + count - start)
      tree.add(blocks, from: start, count: chunk)
      for rank in 1..<max(tree.blocks.count, 1) {
        (blocks[tree.firstBlocks[rank]] + start).update(from: blocks[0] + start, count: chunk)
      }
      start += chunk
    }
  }
}
