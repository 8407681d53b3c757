import Communication

// Where values lie and how they come there.
extension WindowGroup {
  /// Copies this rank's few values into the call's line, or its payload.
  @inline(__always)
  func copyInline(
    _ call: UnsafeMutablePointer<WindowCall>, _ entry: Int, _ line: CallLine
  ) {
    let stride = call.pointee.exchange.type.stride
    switch call.pointee.exchange.kind {
    case .barrier: break
    case .broadcast where call.pointee.exchange.peer != rank: break
    case .treeReduce:
      let exchange = call.pointee.exchange
      let bytes = exchange.inputCount * stride
      let target = inlineValues(of: rank, entry, bytes: bytes * exchange.blocks.count)
      for (index, block) in exchange.blocks.enumerated() {
        (target + index * bytes).copyMemory(from: block, byteCount: bytes)
      }
    default:
      let bytes = call.pointee.exchange.inputCount &* stride
      if bytes == 4 {  // one scalar, the commonest of all
        let scalar = call.pointee.exchange.input.loadUnaligned(as: UInt32.self)
        return line.payload.storeBytes(of: scalar, as: UInt32.self)
      }
      inlineValues(of: rank, entry, bytes: bytes).copyMemory(from: call.pointee.exchange.input, byteCount: bytes)
    }
  }

  /// Where so many inline bytes of a rank lie.
  @inline(__always)
  func inlineValues(of other: Int, _ entry: Int, bytes: Int) -> UnsafeMutableRawPointer {
    bytes <= CallBoard.lineCapacity ? boards[other].line(entry).payload : boards[other].payload(entry)
  }

  /// Copies this rank's values of the present round into its staging area.
  func stage(_ call: UnsafeMutablePointer<WindowCall>) {
    let exchange = call.pointee.exchange
    let area = boards[rank].staging(call.pointee.area)
    let stride = exchange.type.stride
    let (start, most) = (call.pointee.round * call.pointee.roundCount, call.pointee.roundCount)
    /// The round's elements among the `count` behind `source`, into sub-block `block`.
    func copy(_ source: UnsafeRawPointer, _ count: Int, into block: Int) {
      if start >= count { return }
      (area + block * most * stride).copyMemory(
        from: source + start * stride, byteCount: min(most, count - start) * stride)
    }
    switch exchange.kind {
    case .reduceScatter, .allToAll:
      var offset = 0
      for other in 0..<size {
        let count = exchange.inputParts.count(of: other)
        copy(exchange.input + offset * stride, count, into: other)
        offset += count
      }
    case .treeReduce:
      for (index, block) in exchange.blocks.enumerated() { copy(block, exchange.inputCount, into: index) }
    default: copy(exchange.input, exchange.inputCount, into: 0)
    }
  }

  /// Copies results of the present round out of this rank's staging area, where others have written them.
  func unstage(_ call: UnsafeMutablePointer<WindowCall>) {
    let exchange = call.pointee.exchange
    guard exchange.kind == .allReduce || exchange.kind == .treeReduce else { return }
    let range = call.pointee.range(of: exchange.outputCount)
    let stride = exchange.type.stride
    (exchange.output + range.lowerBound * stride).copyMemory(
      from: boards[rank].staging(call.pointee.area), byteCount: range.count * stride)
  }

  /// Writes what others have to know beyond the line.
  func fillTable(_ call: UnsafeMutablePointer<WindowCall>, _ table: UnsafeMutablePointer<Int>) {
    let exchange = call.pointee.exchange
    if exchange.kind == .allToAll {
      for other in 0..<size {
        table[other] = exchange.inputParts.count(of: other)
        table[size + other] = exchange.outputParts.count(of: other)
      }
    } else if call.pointee.form == .shared {
      let bytes = exchange.inputCount * exchange.type.stride
      for (index, block) in exchange.blocks.enumerated() {
        table[index] = Int(host.arena.place(of: block, bytes: bytes, seenBy: places)?.bits ?? 0)
      }
    }
  }

  /// Finds the values of every rank for the present round: for calls that cut them by destination, those for this rank.
  @inline(__always)
  func locate(_ call: UnsafeMutablePointer<WindowCall>) {
    let kind = call.pointee.exchange.kind
    if kind == .barrier || kind == .treeReduce { return }
    let entry = call.pointee.number % CallBoard.depth
    let stride = call.pointee.exchange.type.stride
    let sources = call.pointee.sources
    let bytes = call.pointee.exchange.inputCount &* stride
    let start = call.pointee.rounds == 1 ? 0 : call.pointee.round &* call.pointee.roundCount
    var other = 0
    while other < size {
      let board = boards[other]
      let line = board.line(entry)
      switch line.form {
      case .inline:
        // Ranks may give different amounts in these two; the line is for what all know to fit.
        let given =
          switch kind {
          case .allGather: call.pointee.exchange.outputParts.count(of: other) &* stride
          case .allToAll: sum(board.table(entry)) &* stride
          default: bytes
          }
        sources[other] =
          inlineValues(of: other, entry, bytes: given) + (partStart(call, other, entry) &+ start) &* stride
      case .staged:
        let block = kind == .reduceScatter || kind == .allToAll ? rank : 0
        sources[other] = board.staging(line.place.area) + block &* call.pointee.roundCount &* stride
      case .shared:
        sources[other] =
          host.arena.address(of: line.place, owner: places[other])
          + (partStart(call, other, entry) &+ start) &* stride
      case .elsewhere: break
      }
      other &+= 1
    }
  }

  /// Elements that another rank has before those that concern this one.
  @inline(__always)
  private func partStart(_ call: UnsafeMutablePointer<WindowCall>, _ other: Int, _ entry: Int) -> Int {
    switch call.pointee.exchange.kind {
    case .reduceScatter: return call.pointee.exchange.inputParts.offset(of: rank)
    case .allToAll:
      let sent = boards[other].table(entry)
      var offset = 0
      for receiver in 0..<rank { offset += sent[receiver] }
      return offset
    default: return 0
    }
  }

  private func sum(_ sent: UnsafeMutablePointer<Int>) -> Int {
    var total = 0
    for receiver in 0..<size { total += sent[receiver] }
    return total
  }
}
