import COpenMPI
import Communication

// How each call is made of messages. Every phase posts its receives before its sends, starts with the next higher rank
// so that no rank is everyone's first, and ends when all its messages are done.
extension Flight {
  /// Whole buffers up to this size are sent to everyone in one phase and folded by everyone: one latency instead of two.
  private static let smallBytes = 2_048

  /// Does what follows the messages of the phases so far: combines what came and starts the next phase, or finishes.
  func advance(largest: Int) throws(CommunicationError) {
    defer { phase += 1 }
    switch exchange.kind {
    case .barrier: try meet()
    case .broadcast: try passOn(largest)
    case .allReduce: try combine(largest)
    case .reduceScatter:
      if phase == 0 { return try exchangeParts(largest) }
      let own = exchange.input + exchange.inputParts.offset(of: group.rank) * stride
      if exchange.outputCount > 0 { exchange.output.copyMemory(from: own, byteCount: exchange.outputCount * stride) }
      foldParts(into: exchange.output, count: exchange.outputCount)
      isFinished = true
    case .allGather:
      if phase == 0 { return try gather(exchange.input, exchange.outputParts, largest) }
      isFinished = true
    case .allToAll:
      if phase == 0 { return try trade(largest) }
      isFinished = true
    case .treeReduce: try addTree(largest)
    case .send:
      if phase > 0 { return isFinished = true }
      try send(
        exchange.input, bytes: exchange.inputCount * stride, to: exchange.peer, largest: largest, on: group.messages)
    case .receive:
      if phase > 0 { return isFinished = true }
      try receive(
        exchange.output, bytes: exchange.outputCount * stride, from: exchange.peer, largest: largest,
        on: group.messages)
    }
  }

  var stride: Int { exchange.type.stride }
  var channel: MPI_Comm { group.collectives }

  /// The other ranks, from the next higher one around.
  func eachOther(_ body: (Int) throws(CommunicationError) -> Void) throws(CommunicationError) {
    try group.circle.eachOther(body)
  }

  /// Dissemination: after round k every rank has heard from 2^(k+1) − 1 others.
  private func meet() throws(CommunicationError) {
    let distance = 1 << phase
    if distance >= group.size { return isFinished = true }
    let before = (group.rank - distance + group.size) % group.size
    try receive(exchange.output, bytes: 0, from: before, largest: 1, on: channel)
    try send(exchange.input, bytes: 0, to: (group.rank + distance) % group.size, largest: 1, on: channel)
  }

  /// A binomial tree: a rank's parent, counted from the root, lacks its lowest bit; its children add lower ones.
  private func passOn(_ largest: Int) throws(CommunicationError) {
    let place = (group.rank - exchange.peer + group.size) % group.size
    let bytes = exchange.outputCount * stride
    if phase == 0 && place > 0 && bytes > 0 {
      let parent = ((place & (place - 1)) + exchange.peer) % group.size
      return try receive(exchange.output, bytes: bytes, from: parent, largest: largest, on: channel)
    }
    if phase > 1 || bytes == 0 || (phase == 1 && place == 0) { return isFinished = true }
    var bit = 1
    while bit < group.size && place & bit == 0 { bit <<= 1 }
    while bit > 1 {
      bit >>= 1
      if place + bit < group.size {
        let child = (place + bit + exchange.peer) % group.size
        try send(exchange.output, bytes: bytes, to: child, largest: largest, on: channel)
      }
    }
  }

  /// A reduce-scatter whose parts are then gathered; small buffers are gathered whole and folded by everyone.
  private func combine(_ largest: Int) throws(CommunicationError) {
    let count = exchange.inputCount
    if count == 0 || group.size == 1 { return isFinished = true }
    if count * stride <= Flight.smallBytes {
      let slots = scratch(bytes: group.size * count * stride)
      if phase == 0 { return try gather(exchange.input, .equal(count), largest, into: slots) }
      for rank in 1..<group.size {
        exchange.reduction.fold(slots + rank * count * stride, into: slots, count: count, type: exchange.type)
      }
      exchange.output.copyMemory(from: slots, byteCount: count * stride)
      return isFinished = true
    }
    if phase == 0 { return try exchangeParts(largest) }
    if phase > 1 { return isFinished = true }
    let part = exchange.output + exchange.inputParts.offset(of: group.rank) * stride
    foldParts(into: part, count: exchange.inputParts.count(of: group.rank))
    try gather(part, exchange.inputParts, largest)
  }

  /// Sends every rank its part of the input and receives everyone's version of the own part into scratch memory.
  private func exchangeParts(_ largest: Int) throws(CommunicationError) {
    let bytes = exchange.inputParts.count(of: group.rank) * stride
    let slots = scratch(bytes: (group.size - 1) * bytes)
    if bytes > 0 {
      try eachOther { (rank) throws(CommunicationError) in
        try receive(slots + slot(of: rank) * bytes, bytes: bytes, from: rank, largest: largest, on: channel)
      }
    }
    try eachOther { (rank) throws(CommunicationError) in
      let length = exchange.inputParts.count(of: rank) * stride
      if length == 0 { return }
      let part = exchange.input + exchange.inputParts.offset(of: rank) * stride
      try send(part, bytes: length, to: rank, largest: largest, on: channel)
    }
  }

  private func slot(of rank: Int) -> Int { rank < group.rank ? rank : rank - 1 }

  /// Folds, in rank order, what `exchangeParts` brought with this rank's own values, which stand in `target`.
  private func foldParts(into target: UnsafeMutableRawPointer, count: Int) {
    let reduction = exchange.reduction
    let bytes = count * stride
    let slots = scratch(bytes: (group.size - 1) * bytes)
    // All lower ranks first, in the memory of rank 0's values; then the own values; then the higher ranks.
    for rank in 1..<max(group.rank, 1) {
      reduction.fold(slots + rank * bytes, into: slots, count: count, type: exchange.type)
    }
    if group.rank > 0 { reduction.fold(slots, into: target, count: count, type: exchange.type, valuesFirst: true) }
    for rank in (group.rank + 1)..<max(group.size, group.rank + 1) {
      reduction.fold(slots + slot(of: rank) * bytes, into: target, count: count, type: exchange.type)
    }
  }

  /// Sends the own part to everyone and receives the parts of the others into `target`, by default the output. Everyone is
  /// the group, unless `circle` says who; parts go by place in it.
  func gather(
    _ own: UnsafeRawPointer, _ parts: Parts, _ largest: Int, into target: UnsafeMutableRawPointer? = nil,
    among circle: Circle? = nil
  ) throws(CommunicationError) {
    let target = target ?? exchange.output
    let circle = circle ?? group.circle
    try circle.eachOther { (place) throws(CommunicationError) in
      let length = parts.count(of: place) * stride
      if length == 0 { return }
      try receive(
        target + parts.offset(of: place) * stride, bytes: length, from: circle.rank(at: place), largest: largest,
        on: channel)
    }
    let length = parts.count(of: circle.place) * stride
    if length == 0 { return }
    try circle.eachOther { (place) throws(CommunicationError) in
      try send(own, bytes: length, to: circle.rank(at: place), largest: largest, on: channel)
    }
    let part = target + parts.offset(of: circle.place) * stride
    if UnsafeRawPointer(part) != own { part.copyMemory(from: own, byteCount: length) }
  }

  private func trade(_ largest: Int) throws(CommunicationError) {
    try eachOther { (rank) throws(CommunicationError) in
      let length = exchange.outputParts.count(of: rank) * stride
      if length == 0 { return }
      let part = exchange.output + exchange.outputParts.offset(of: rank) * stride
      try receive(part, bytes: length, from: rank, largest: largest, on: channel)
    }
    try eachOther { (rank) throws(CommunicationError) in
      let length = exchange.inputParts.count(of: rank) * stride
      if length == 0 { return }
      let part = exchange.input + exchange.inputParts.offset(of: rank) * stride
      try send(part, bytes: length, to: rank, largest: largest, on: channel)
    }
    let length = exchange.inputParts.count(of: group.rank) * stride
    if length == 0 { return }
    let own = exchange.input + exchange.inputParts.offset(of: group.rank) * stride
    (exchange.output + exchange.outputParts.offset(of: group.rank) * stride).copyMemory(from: own, byteCount: length)
  }
}
