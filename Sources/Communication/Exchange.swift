/// One call of a communicator, with its buffers, free of generic types: what transports implement and meters count.
///
/// `@unchecked Sendable`: the pointers belong to the communicator from `start` until `wait` has returned.
public struct Exchange: @unchecked Sendable {
  /// The calls there are.
  public enum Kind: UInt8, Sendable, CaseIterable {
    case barrier, broadcast, allReduce, reduceScatter, allGather, allToAll, treeReduce, send, receive

    /// The name used in messages and ledgers.
    public var name: String {
      switch self {
      case .barrier: "barrier"
      case .broadcast: "broadcast"
      case .allReduce: "all-reduce"
      case .reduceScatter: "reduce-scatter"
      case .allGather: "all-gather"
      case .allToAll: "all-to-all"
      case .treeReduce: "tree-reduce"
      case .send: "send"
      case .receive: "receive"
      }
    }
  }

  /// The call.
  public let kind: Kind
  /// The type of every element in the buffers.
  public let type: ElementType
  /// What this rank gives; the same memory as `output` for broadcast, all-reduce and
  /// tree-reduce. Meaningless where empty.
  public let input: UnsafeRawPointer
  /// Elements of `input`.
  public let inputCount: Int
  /// What this rank gets. Meaningless where empty.
  public let output: UnsafeMutableRawPointer
  /// Elements of `output`.
  public let outputCount: Int
  /// How `input` is cut by destination: reduce-scatter, all-to-all, all-reduce and tree-reduce.
  public let inputParts: Parts
  /// How `output` is cut by source: all-gather and all-to-all.
  public let outputParts: Parts
  /// How values are combined, where they are.
  public let reduction: Reduction
  /// The root of a broadcast, the destination of a send, the source of a receive.
  public let peer: Int
  /// Tells messages between two ranks apart.
  public let tag: Int
  /// Every block of this rank for a tree-reduce, of `inputCount` elements each.
  public let blocks: UnsafeBufferPointer<UnsafeMutablePointer<Float>>
  /// The order of additions of a tree-reduce.
  public let tree: ReductionTree?
  /// What the call is for, such as the number of a bucket: the same on every rank, in messages and ledgers. Below zero
  /// where it has none.
  public private(set) var label = Exchange.unlabelled

  private init(
    _ kind: Kind, _ type: ElementType, input: UnsafeRawPointer?, inputCount: Int, output: UnsafeMutableRawPointer?,
    outputCount: Int, inputParts: Parts = .equal(0), outputParts: Parts = .equal(0), reduction: Reduction = .sum,
    peer: Int = 0, tag: Int = 0, blocks: UnsafeBufferPointer<UnsafeMutablePointer<Float>> = .init(start: nil, count: 0),
    tree: ReductionTree? = nil
  ) {
    self.kind = kind
    self.type = type
    // An empty buffer may have no address; this one is never read.
    self.input = input ?? UnsafeRawPointer(bitPattern: 64)!
    self.inputCount = inputCount
    self.output = output ?? UnsafeMutableRawPointer(bitPattern: 64)!
    self.outputCount = outputCount
    self.inputParts = inputParts
    self.outputParts = outputParts
    self.reduction = reduction
    self.peer = peer
    self.tag = tag
    self.blocks = blocks
    self.tree = tree
  }

  /// The same call with a label.
  public func labelled(_ label: Int) -> Exchange {
    precondition(label >= Exchange.unlabelled && label < Exchange.labelLimit, "label \(label)")
    var copy = self
    copy.label = label
    return copy
  }

  /// The label of a call that has none.
  public static let unlabelled = -1
  /// Labels lie below this.
  public static let labelLimit = 1 << 16
}

// Each function below builds one call and checks what its caller can get wrong alone.
extension Exchange {
  /// A meeting of all ranks.
  public static var barrier: Exchange {
    Exchange(.barrier, .uint8, input: nil, inputCount: 0, output: nil, outputCount: 0)
  }

  /// Copies the root's buffer to all ranks.
  public static func broadcast<T: Communicable>(_ buffer: UnsafeMutableBufferPointer<T>, root: Int) -> Exchange {
    Exchange(
      .broadcast, T.elementType, input: UnsafeRawPointer(buffer.baseAddress), inputCount: buffer.count,
      output: UnsafeMutableRawPointer(buffer.baseAddress), outputCount: buffer.count, peer: root)
  }

  /// Combines the buffers of `ranks` ranks, in place.
  public static func allReduce<T: Communicable>(
    _ buffer: UnsafeMutableBufferPointer<T>, _ reduction: Reduction, ranks: Int
  ) -> Exchange {
    Exchange(
      .allReduce, T.elementType, input: UnsafeRawPointer(buffer.baseAddress), inputCount: buffer.count,
      output: UnsafeMutableRawPointer(buffer.baseAddress), outputCount: buffer.count,
      inputParts: .even(buffer.count, over: ranks), reduction: reduction)
  }

  /// Combines inputs and leaves on each rank its part.
  public static func reduceScatter<T: Communicable>(
    _ input: UnsafeBufferPointer<T>, into output: UnsafeMutableBufferPointer<T>, parts: Parts, _ reduction: Reduction,
    ranks: Int
  ) -> Exchange {
    check(parts, ranks, input.count, "reduce-scatter: the input")
    return Exchange(
      .reduceScatter, T.elementType, input: input.baseAddress, inputCount: input.count, output: output.baseAddress,
      outputCount: output.count, inputParts: parts, reduction: reduction)
  }

  /// Concatenates the inputs of all ranks on every rank.
  public static func allGather<T: Communicable>(
    _ input: UnsafeBufferPointer<T>, into output: UnsafeMutableBufferPointer<T>, parts: Parts, ranks: Int
  ) -> Exchange {
    check(parts, ranks, output.count, "all-gather: the output")
    return Exchange(
      .allGather, T.elementType, input: input.baseAddress, inputCount: input.count, output: output.baseAddress,
      outputCount: output.count, outputParts: parts)
  }

  /// Sends one part of the input to each rank, and collects one part from each.
  public static func allToAll<T: Communicable>(
    _ input: UnsafeBufferPointer<T>, sendParts: Parts, into output: UnsafeMutableBufferPointer<T>,
    receiveParts: Parts, ranks: Int
  ) -> Exchange {
    check(sendParts, ranks, input.count, "all-to-all: the input")
    check(receiveParts, ranks, output.count, "all-to-all: the output")
    return Exchange(
      .allToAll, T.elementType, input: input.baseAddress, inputCount: input.count, output: output.baseAddress,
      outputCount: output.count, inputParts: sendParts, outputParts: receiveParts)
  }

  /// Adds the blocks of all ranks in the order of a tree; every rank's first block gets the sum.
  public static func treeReduce(
    _ blocks: UnsafeBufferPointer<UnsafeMutablePointer<Float>>, count: Int, tree: ReductionTree
  ) -> Exchange {
    precondition(!blocks.isEmpty && count >= 0, "tree-reduce of \(blocks.count) blocks of \(count) elements")
    return Exchange(
      .treeReduce, .float, input: blocks[0], inputCount: count, output: blocks[0], outputCount: count,
      inputParts: .lines(count, over: tree.blocks.count), blocks: blocks, tree: tree)
  }

  /// A message to one rank.
  public static func send<T: Communicable>(_ buffer: UnsafeBufferPointer<T>, to rank: Int, tag: Int) -> Exchange {
    Exchange(
      .send, T.elementType, input: buffer.baseAddress, inputCount: buffer.count, output: nil, outputCount: 0,
      peer: rank, tag: tag)
  }

  /// A message from one rank.
  public static func receive<T: Communicable>(
    _ buffer: UnsafeMutableBufferPointer<T>, from rank: Int, tag: Int
  ) -> Exchange {
    Exchange(
      .receive, T.elementType, input: nil, inputCount: 0, output: buffer.baseAddress, outputCount: buffer.count,
      peer: rank, tag: tag)
  }

  private static func check(_ parts: Parts, _ ranks: Int, _ count: Int, _ what: String) {
    if case .listed(let counts) = parts {
      precondition(counts.count == ranks, "\(counts.count) counts for \(ranks) ranks")
      precondition(counts.allSatisfy { $0 >= 0 }, "negative count in \(counts)")
    }
    let total = parts.offset(of: ranks - 1) + parts.count(of: ranks - 1)
    precondition(total == count, "\(what) has \(count) elements, its parts \(total)")
  }

  /// Checks what depends on the caller's place among the ranks; transports call it first.
  package func check(rank: Int, size: Int) {
    switch kind {
    case .broadcast: precondition((0..<size).contains(peer), "root \(peer) of \(size) ranks")
    case .send, .receive:
      precondition((0..<size).contains(peer), "\(kind.name) with rank \(peer) of \(size)")
      precondition((0..<Exchange.tagLimit).contains(tag), "tag \(tag) is not in 0..<\(Exchange.tagLimit)")
    case .reduceScatter:
      let part = inputParts.count(of: rank)
      precondition(outputCount == part, "reduce-scatter: the output has \(outputCount) elements, the part \(part)")
    case .allGather:
      let part = outputParts.count(of: rank)
      precondition(inputCount == part, "all-gather: the input has \(inputCount) elements, the part \(part)")
    case .allToAll:
      let (sent, received) = (inputParts.count(of: rank), outputParts.count(of: rank))
      precondition(sent == received, "all-to-all: a rank sends itself \(sent) elements and expects \(received)")
    case .treeReduce:
      let expected = tree?.blocks ?? []
      precondition(expected.count == size, "tree-reduce: a tree of \(expected.count) ranks for \(size)")
      precondition(expected[rank] == blocks.count, "tree-reduce: \(blocks.count) blocks, in the tree \(expected[rank])")
    case .barrier, .allReduce: break
    }
  }

  /// Tags of messages lie below this.
  public static let tagLimit = 1 << 16
}
