// What a call costs and how it is named: the same on every transport.
extension Exchange {
  /// Payload bytes that rank `rank` of `size` sends to others, by the formula at each call of `Communicator`.
  public func bytesSent(rank: Int, size: Int) -> Int {
    let others = size - 1
    let elements: Int
    switch kind {
    case .barrier, .receive: elements = 0
    case .broadcast: elements = rank == peer ? others * outputCount : 0
    case .allReduce:
      let own = inputParts.count(of: rank)
      elements = inputCount - own + others * own
    case .reduceScatter, .allToAll: elements = inputCount - inputParts.count(of: rank)
    case .treeReduce:
      let own = inputParts.count(of: rank)
      elements = blocks.count * (inputCount - own) + others * own
    case .allGather: elements = others * inputCount
    case .send: elements = rank == peer ? 0 : inputCount
    }
    return elements * type.stride
  }

  /// Messages with a payload that rank `rank` of `size` sends to others.
  public func messagesSent(rank: Int, size: Int) -> Int {
    let others = size - 1
    func filled(_ parts: Parts) -> Int {
      var messages = 0
      for other in 0..<size where other != rank && parts.count(of: other) > 0 { messages += 1 }
      return messages
    }
    switch kind {
    case .barrier, .receive: return 0
    case .broadcast: return rank == peer && outputCount > 0 ? others : 0
    case .allReduce, .treeReduce: return filled(inputParts) + (inputParts.count(of: rank) > 0 ? others : 0)
    case .reduceScatter, .allToAll: return filled(inputParts)
    case .allGather: return inputCount > 0 ? others : 0
    case .send: return rank != peer && inputCount > 0 ? 1 : 0
    }
  }

  /// The call in words, such as "all-reduce (sum) of 12 Float" or "broadcast of 3 Int8 from rank 0 (bucket 7)".
  public func described(ranks: Int) -> String {
    label < 0 ? unlabelledWords(ranks) : "\(unlabelledWords(ranks)) (bucket \(label))"
  }

  private func unlabelledWords(_ ranks: Int) -> String {
    switch kind {
    case .barrier: "barrier"
    case .broadcast: "broadcast of \(outputCount) \(type.name) from rank \(peer)"
    case .allReduce: "all-reduce (\(reduction.name)) of \(inputCount) \(type.name)"
    case .reduceScatter: "reduce-scatter (\(reduction.name)) of \(inputParts.described(ranks: ranks)) \(type.name)"
    case .allGather: "all-gather of \(outputParts.described(ranks: ranks)) \(type.name)"
    case .allToAll:
      "all-to-all of \(type.name), sending \(inputParts.described(ranks: ranks)) and receiving "
        + outputParts.described(ranks: ranks)
    case .treeReduce: "tree-reduce of \(inputCount) \(type.name) in \(tree?.blocks ?? []) blocks"
    case .send: "send of \(inputCount) \(type.name) to rank \(peer), tag \(tag)"
    case .receive: "receive of \(outputCount) \(type.name) from rank \(peer), tag \(tag)"
    }
  }

  /// Equal on ranks whose calls of a collective agree: made of all that has to be the same. All-to-all counts are compared
  /// pair by pair elsewhere.
  package func fingerprint(ranks: Int) -> Fingerprint {
    var print = Fingerprint()
    print.mix(Int(kind.rawValue))
    print.mix(Int(type.rawValue))
    print.mix(label)
    switch kind {
    case .barrier, .allToAll, .send, .receive: break
    case .broadcast:
      print.mix(peer)
      print.mix(outputCount)
    case .allReduce:
      print.mix(Int(reduction.rawValue))
      print.mix(inputCount)
    case .reduceScatter:
      print.mix(Int(reduction.rawValue))
      for rank in 0..<ranks { print.mix(inputParts.count(of: rank)) }
    case .allGather: for rank in 0..<ranks { print.mix(outputParts.count(of: rank)) }
    case .treeReduce:
      print.mix(inputCount)
      if let tree { print.mix(tree.fingerprint) }
    }
    return print
  }
}
