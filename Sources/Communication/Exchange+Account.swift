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
    case .allReduce: return filled(inputParts) + (inputParts.count(of: rank) > 0 ? others : 0)
    case .reduceScatter, .allToAll: return filled(inputParts)
    case .allGather: return inputCount > 0 ? others : 0
    case .send: return rank != peer && inputCount > 0 ? 1 : 0
    }
  }

  /// The call in words, such as "all-reduce (sum) of 12 Float".
  public func described(ranks: Int) -> String {
    switch kind {
    case .barrier: "barrier"
    case .broadcast: "broadcast of \(outputCount) \(type.name) from rank \(peer)"
    case .allReduce: "all-reduce (\(reduction.name)) of \(inputCount) \(type.name)"
    case .reduceScatter: "reduce-scatter (\(reduction.name)) of \(inputParts.described(ranks: ranks)) \(type.name)"
    case .allGather: "all-gather of \(outputParts.described(ranks: ranks)) \(type.name)"
    case .allToAll:
      "all-to-all of \(type.name), sending \(inputParts.described(ranks: ranks)) and receiving "
        + outputParts.described(ranks: ranks)
    case .send: "send of \(inputCount) \(type.name) to rank \(peer), tag \(tag)"
    case .receive: "receive of \(outputCount) \(type.name) from rank \(peer), tag \(tag)"
    }
  }

  /// Whether another rank's call of the same collective agrees with this one. All-to-all counts are compared pair by
  /// pair elsewhere.
  package func agrees(with other: Exchange, ranks: Int) -> Bool {
    guard kind == other.kind, type == other.type else { return false }
    switch kind {
    case .barrier, .allToAll, .send, .receive: return true
    case .broadcast: return peer == other.peer && outputCount == other.outputCount
    case .allReduce: return reduction == other.reduction && inputCount == other.inputCount
    case .reduceScatter:
      return reduction == other.reduction && inputParts.isSame(as: other.inputParts, ranks: ranks)
    case .allGather: return outputParts.isSame(as: other.outputParts, ranks: ranks)
    }
  }
}
