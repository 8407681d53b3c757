import Communication

extension Law {
  /// Registers that one rank fills and another reads.
  static let channels: [Law] = [
    Law(name: "registers arrive in order, with what was filled") { communicator in
      for (count, bytes) in [(1, 0), (1, 17), (2, 1_000), (3, 100_003)] {
        try checkRing(communicator, count: count, bytes: bytes, registers: 3 * count + 2)
      }
    },
    Law(name: "a sender is ahead by as many registers as there are, and no more") { communicator in
      for count in [1, 3] { try checkCredits(communicator, count: count) }
    },
    Law(name: "the end comes after all registers, which are still there") { communicator in
      try pairs(communicator) { sender in
        for number in 0..<2 { try send(sender, number) }
        try sender.end()
        try sender.end()
      } receive: { receiver in
        var held: [UnsafeRawBufferPointer] = []
        while let bytes = try receiver.receive() { held.append(bytes) }
        try expect(receiver.hasEnded && held.count == 2, "rank \(communicator.rank): the end after \(held.count) of 2")
        try expect(try receiver.receive() == nil, "rank \(communicator.rank): a register after the end")
        for (number, bytes) in held.enumerated() { try check(bytes, number, receiver.byteCount) }
        for _ in held { try receiver.release() }
      }
    },
    Law(name: "an end without registers is an end") { communicator in
      try pairs(communicator) { _ in
      } receive: { receiver in
        try expect(try receiver.receive() == nil, "rank \(communicator.rank): a register that nobody sent")
      }
    },
    Law(name: "a receiver that reads no more does not stop its sender, which hears of it") { communicator in
      try pairs(communicator) { sender in
        while sender.isWanted {
          try send(sender, sender.sent)
          try sender.poll()
        }
        try expect(sender.sent <= sender.count + 1, "\(sender.sent) registers for a receiver that took one")
        for number in 0..<10 { try send(sender, number) }
      } receive: { receiver in
        _ = try receiver.receive()
        try receiver.end()
        try receiver.end()
      }
    },
    Law(name: "a pipeline of ranks adds up, driven by polls, beside collectives") { communicator in
      try checkPipeline(communicator, count: 2, registers: 20)
    },
    Law(name: "channels in both directions do not disturb each other") { communicator in
      try checkBothWays(communicator)
    },
  ]

  private static func value(_ number: Int, _ index: Int) -> UInt8 { UInt8.value(rank: number, index: index) }

  /// How much of a register is filled: all of the first, any part of the others.
  private static func filled(_ number: Int, _ bytes: Int) -> Int { number == 0 ? bytes : number * 7_919 % (bytes + 1) }

  private static func send(_ sender: RegisterSender, _ number: Int) throws {
    let register = try sender.acquire()
    let count = filled(number, sender.byteCount)
    for index in 0..<count { register[index] = value(number, index) }
    try sender.send(byteCount: count)
  }

  private static func check(_ bytes: UnsafeRawBufferPointer, _ number: Int, _ byteCount: Int) throws {
    let count = filled(number, byteCount)
    try expect(bytes.count == count, "register \(number) holds \(bytes.count) bytes, not \(count)")
    for index in 0..<count where bytes[index] != value(number, index) {
      throw LawViolation(description: "byte \(index) of register \(number) is \(bytes[index])")
    }
  }

  /// Every rank sends to the next, the last to the first.
  private static func checkRing(_ communicator: any Communicator, count: Int, bytes: Int, registers: Int) throws {
    let (rank, ranks) = (communicator.rank, communicator.size)
    let sender = RegisterSender(communicator, to: (rank + 1) % ranks, tag: 6, count: count, byteCount: bytes)
    let receiver = try RegisterReceiver(
      communicator, from: (rank + ranks - 1) % ranks, tag: 6, count: count, byteCount: bytes)
    for number in 0..<registers {
      try send(sender, number)
      guard let register = try receiver.receive() else {
        throw LawViolation(description: "rank \(rank): the end before register \(number) of \(registers)")
      }
      try check(register, number, bytes)
      try expect(
        Int(bitPattern: register.baseAddress) % 64 == 0, "rank \(rank): register \(number) is not on a cache line")
      try receiver.release()
    }
    try sender.end()
    try expect(try receiver.receive() == nil, "rank \(rank): more than \(registers) registers")
    try receiver.finish()
    try sender.finish()
    try expect(sender.returned == registers && receiver.taken == registers, "rank \(rank): registers were lost")
    try expect(communicator.pending == 0, "rank \(rank): a finished channel has requests")
  }

  /// Every even rank sends to the next odd one; both ends finish.
  private static func pairs(
    _ communicator: any Communicator, count: Int = 3, _ send: (RegisterSender) throws -> Void,
    receive: (RegisterReceiver) throws -> Void
  ) throws {
    let rank = communicator.rank
    if rank % 2 == 1 {
      let receiver = try RegisterReceiver(communicator, from: rank - 1, tag: 4, count: count, byteCount: 1_000)
      try receive(receiver)
      try receiver.finish()
      try receiver.finish()
      try expect(receiver.hasEnded && receiver.released == receiver.taken, "rank \(rank): finished before the end")
    } else if rank + 1 < communicator.size {
      let sender = RegisterSender(communicator, to: rank + 1, tag: 4, count: count, byteCount: 1_000)
      try send(sender)
      try sender.finish()
      try sender.finish()
      try expect(sender.returned == sender.sent, "rank \(rank): \(sender.returned) of \(sender.sent) came back")
    }
  }

  /// The receiver releases only when the sender has told it to.
  private static func checkCredits(_ communicator: any Communicator, count: Int) throws {
    let rank = communicator.rank
    let token = Block<Int32>(1) { _ in 7 }
    try pairs(communicator, count: count) { sender in
      for number in 0..<count {
        try expect(try sender.poll(), "rank \(rank): register \(number) of \(count) is not free")
        try send(sender, number)
      }
      for more in count..<(count + 5) {
        for _ in 0..<20 { try expect(try !sender.poll(), "rank \(rank): register \(more) is free of \(count)") }
        try communicator.send(token.constant, to: rank + 1, tag: 1)
        try send(sender, more)
        try expect(sender.returned == more + 1 - count, "rank \(rank): \(sender.returned) registers came back")
      }
    } receive: { receiver in
      for number in 0..<5 {
        try communicator.receive(token.buffer, from: rank - 1, tag: 1)
        guard let register = try receiver.receive() else { throw LawViolation(description: "an early end") }
        try check(register, number, receiver.byteCount)
        try receiver.release()
      }
    }
    withExtendedLifetime(token) {}
  }

  /// Each rank adds one to what it gets from the rank before and hands it on.
  private static func checkPipeline(_ communicator: any Communicator, count: Int, registers: Int) throws {
    let (rank, ranks) = (communicator.rank, communicator.size)
    let sum = Block<Int32>(5_000) { _ in 1 }
    let request = try communicator.startAllReduce(sum.buffer, .sum)
    let sender =
      rank + 1 < ranks ? RegisterSender(communicator, to: rank + 1, tag: 2, count: count, byteCount: 4_096) : nil
    let receiver =
      rank > 0 ? try RegisterReceiver(communicator, from: rank - 1, tag: 2, count: count, byteCount: 4_096) : nil
    var done = 0
    while done < registers {
      let canRead = try receiver?.poll() ?? true
      let canWrite = try sender?.poll() ?? true
      guard canRead, canWrite else { continue }
      let input = try receiver?.receive()
      try expect(
        input.map { $0.allSatisfy { $0 == UInt8(done + rank) } } ?? (rank == 0), "rank \(rank): register \(done)")
      if let sender {
        let output = try sender.acquire()
        for index in output.indices { output[index] = (input?[index] ?? UInt8(done)) + 1 }
        try sender.send(byteCount: 4_096)
      }
      try receiver?.release()
      done += 1
      if let sender {
        try expect(sender.sent - sender.returned <= count, "rank \(rank): \(sender.sent - sender.returned) ahead")
      }
    }
    try sender?.end()
    try receiver?.finish()
    try sender?.finish()
    try communicator.wait(request)
    try expectSame(sum, { _ in Int32(ranks) }, "rank \(rank): an all-reduce beside a pipeline")
  }

  private static func checkBothWays(_ communicator: any Communicator) throws {
    let (rank, ranks) = (communicator.rank, communicator.size)
    let (next, last) = ((rank + 1) % ranks, (rank + ranks - 1) % ranks)
    let receivers = [
      try RegisterReceiver(communicator, from: last, tag: 6, count: 2, byteCount: 40_000),
      try RegisterReceiver(communicator, from: next, tag: 8, count: 1, byteCount: 300),
    ]
    let senders = [
      RegisterSender(communicator, to: next, tag: 6, count: 2, byteCount: 40_000),
      RegisterSender(communicator, to: last, tag: 8, count: 1, byteCount: 300),
    ]
    for number in 0..<9 {
      for (sender, receiver) in zip(senders, receivers) {
        try send(sender, number)
        guard let register = try receiver.receive() else { throw LawViolation(description: "an early end") }
        try check(register, number, receiver.byteCount)
        for other in senders { try other.poll() }
        try receiver.release()
      }
    }
    for sender in senders { try sender.end() }
    for receiver in receivers { try receiver.finish() }
    for sender in senders.reversed() { try sender.finish() }
  }
}
