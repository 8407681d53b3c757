import CSharedMemory
import Communication
import Synchronization

// The way of a call: post, see that everyone has, do the share, see that everyone did; perhaps in several rounds.
extension WindowGroup {
  /// Sets a call up; decides how this rank gives its values.
  func prepare(_ call: UnsafeMutablePointer<WindowCall>, _ exchange: Exchange, _ number: Int, _ elsewhere: Bool) {
    call.pointee.exchange = exchange
    call.pointee.number = number
    call.pointee.fingerprint = exchange.fingerprint(ranks: size).value
    call.pointee.round = 0
    call.pointee.rounds = 1
    call.pointee.area = -1
    call.pointee.isReadInPlace = false
    call.pointee.stage = .blocked
    let bytes = inlineBytes(exchange)
    if elsewhere {
      call.pointee.form = .elsewhere
      call.pointee.place = SharedPlace(bits: 0)
    } else if bytes <= CallBoard.inlineCapacity {
      call.pointee.form = .inline
      call.pointee.place = SharedPlace(bits: 0)
    } else if let place = sharedPlace(exchange) {
      call.pointee.form = .shared
      call.pointee.place = place
    } else {
      call.pointee.form = .staged
    }
  }

  /// Bytes that decide whether values travel inline: alike on all ranks where each writes into the others' values.
  @inline(__always)
  private func inlineBytes(_ exchange: Exchange) -> Int {
    switch exchange.kind {
    case .barrier: 0
    case .treeReduce: (exchange.tree?.largestBlocks ?? 0) * exchange.inputCount * exchange.type.stride
    case .broadcast: exchange.peer == rank ? exchange.inputCount * exchange.type.stride : 0
    default: exchange.inputCount * exchange.type.stride
    }
  }

  private func sharedPlace(_ exchange: Exchange) -> SharedPlace? {
    let bytes = exchange.inputCount * exchange.type.stride
    if exchange.kind != .treeReduce {
      return host.arena.place(of: exchange.input, bytes: bytes, seenBy: places)
    }
    if exchange.blocks.count > CallBoard.tableCapacity(ranks: size) { return nil }
    for block in exchange.blocks where host.arena.place(of: block, bytes: bytes, seenBy: places) == nil { return nil }
    return SharedPlace(bits: 0)
  }

  /// Shows this rank's values of the present round to the others, as soon as there is a place for them.
  func post(_ call: UnsafeMutablePointer<WindowCall>) {
    let number = call.pointee.number
    let entry = number % CallBoard.depth
    let line = boards[rank].line(entry)
    let kind = call.pointee.exchange.kind
    switch call.pointee.form {
    case .inline:
      copyInline(call, entry, line)
    case .staged:
      if call.pointee.area < 0 {
        guard mayTakeArea(number), let area = takeArea() else { return }
        call.pointee.area = area
        call.pointee.place = SharedPlace(area: area)
        setRoundCount(call)
      }
      stage(call)
    case .shared, .elsewhere: break
    }
    if call.pointee.round == 0 {
      line.set(call.pointee.form, kind, call.pointee.place)
      line.fingerprint = call.pointee.fingerprint
      if kind == .allToAll || kind == .treeReduce { fillTable(call, boards[rank].table(entry)) }
    }
    call.pointee.stage = .posted
    call.pointee.awaited = 0
    line.posted.pointee.store(call.pointee.token, ordering: .releasing)
    ringOthers()
  }

  /// Areas go to calls in their order, or a later one could wait for the others with what they need to come to it.
  private func mayTakeArea(_ number: Int) -> Bool {
    var earlier = left
    while earlier < number {
      if call(earlier).pointee.stage == .blocked { return false }
      earlier += 1
    }
    return true
  }

  /// Moves a call forward as far as the others allow.
  func advance(_ call: UnsafeMutablePointer<WindowCall>) throws(CommunicationError) {
    while true {
      switch call.pointee.stage {
      case .finished: return
      case .blocked:
        post(call)
        if call.pointee.stage == .blocked { return }
      case .posted:
        guard everyonePosted(call) else { return }
        if call.pointee.round == 0 { try agree(call) }
        if call.pointee.form != .elsewhere {
          locate(call)
          share(call)
        }
        if call.pointee.isReadInPlace {
          let entry = call.pointee.number % CallBoard.depth
          boards[rank].line(entry).done.pointee.store(call.pointee.token, ordering: .releasing)
          ringOthers()
          call.pointee.stage = .shared
          call.pointee.awaited = 0
        } else {
          call.pointee.stage = .finished
        }
      case .shared:
        guard everyoneDone(call) else { return }
        if call.pointee.form == .staged { unstage(call) }
        call.pointee.round += 1
        if call.pointee.round < call.pointee.rounds {
          post(call)
        } else {
          if call.pointee.area >= 0 { returnArea(call.pointee.area) }
          call.pointee.stage = .finished
        }
      }
    }
  }

  @inline(__always)
  private func everyonePosted(_ call: UnsafeMutablePointer<WindowCall>) -> Bool {
    let entry = call.pointee.number % CallBoard.depth
    let token = call.pointee.token
    var other = call.pointee.awaited
    while other < size, boards[other].line(entry).posted.pointee.load(ordering: .acquiring) >= token { other &+= 1 }
    call.pointee.awaited = other
    return other == size
  }

  @inline(__always)
  private func everyoneDone(_ call: UnsafeMutablePointer<WindowCall>) -> Bool {
    let entry = call.pointee.number % CallBoard.depth
    let token = call.pointee.token
    var other = call.pointee.awaited
    while other < size, boards[other].line(entry).done.pointee.load(ordering: .acquiring) >= token { other &+= 1 }
    call.pointee.awaited = other
    return other == size
  }

  /// Sees, once everyone has posted, that all called the same, and how many rounds it takes.
  private func agree(_ call: UnsafeMutablePointer<WindowCall>) throws(CommunicationError) {
    let entry = call.pointee.number % CallBoard.depth
    var isStaged = false
    var isInPlace = false
    for other in 0..<size {
      let line = boards[other].line(entry)
      if line.fingerprint != call.pointee.fingerprint { throw try refusal(call) }
      switch line.form {
      case .inline, .elsewhere: break
      case .staged: (isStaged, isInPlace) = (true, true)
      case .shared: isInPlace = true
      }
    }
    call.pointee.isReadInPlace = isInPlace
    if call.pointee.exchange.kind == .allToAll && !hasEqualPairs(entry) { throw try refusal(call) }
    if isStaged {
      setRoundCount(call)
      let longest = longestPart(call.pointee.exchange, entry)
      call.pointee.rounds = max(1, (longest + call.pointee.roundCount - 1) / call.pointee.roundCount)
    }
  }

  /// Elements of each part that a staging area holds, in whole cache lines.
  private func setRoundCount(_ call: UnsafeMutablePointer<WindowCall>) {
    let exchange = call.pointee.exchange
    let parts =
      switch exchange.kind {
      case .reduceScatter, .allToAll: size
      case .treeReduce: exchange.tree?.largestBlocks ?? 1
      default: 1
      }
    call.pointee.roundCount = CallBoard.stagingBytes / parts / 64 * 64 / exchange.type.stride
  }

  /// Whether each rank sends every other as many elements as that expects.
  private func hasEqualPairs(_ entry: Int) -> Bool {
    for sender in 0..<size {
      let sent = boards[sender].table(entry)
      for receiver in 0..<size where sent[receiver] != boards[receiver].table(entry)[size + sender] { return false }
    }
    return true
  }

  private func longestPart(_ exchange: Exchange, _ entry: Int) -> Int {
    var longest = 0
    switch exchange.kind {
    case .barrier: break
    case .broadcast: longest = exchange.outputCount
    case .allGather: for other in 0..<size { longest = max(longest, exchange.outputParts.count(of: other)) }
    case .reduceScatter: for other in 0..<size { longest = max(longest, exchange.inputParts.count(of: other)) }
    case .allToAll:
      for sender in 0..<size {
        for receiver in 0..<size { longest = max(longest, boards[sender].table(entry)[receiver]) }
      }
    default: longest = exchange.inputCount
    }
    return longest
  }
}
