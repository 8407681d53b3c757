import Communication

extension Law {
  /// Groups made of groups, and the account of what was sent.
  static let groups: [Law] = [
    Law(name: "split groups by color and numbers by key") { communicator in
      let (rank, ranks) = (communicator.rank, communicator.size)
      // Odd and even ranks, in reverse order.
      let half = try communicator.split(color: rank % 2, key: -rank)
      let members = Array((0..<ranks).filter { $0 % 2 == rank % 2 }.reversed())
      try expect(half.size == members.count, "rank \(rank): a group of \(half.size), not \(members.count)")
      try expect(members[half.rank] == rank, "rank \(rank): numbered \(half.rank) in its group")
      let own = Block<Int64>(1) { _ in Int64(rank) }
      let all = Block<Int64>(blank: half.size)
      // The groups work on their own, at the same time as the whole.
      let whole = Block<Int64>(1) { _ in Int64(rank) }
      let request = try communicator.startAllReduce(whole.buffer, .sum)
      try half.allGather(own.constant, into: all.buffer)
      try expectSame(all, { Int64(members[$0]) }, "rank \(rank): gathered in its group")
      let sum = Block<Int64>(1) { _ in Int64(rank) }
      try half.allReduce(sum.buffer, .sum)
      try expectSame(sum, { _ in Int64(members.reduce(0, +)) }, "rank \(rank): summed in its group")
      try communicator.wait(request)
      try expectSame(whole, { _ in Int64(ranks * (ranks - 1) / 2) }, "rank \(rank): summed over all")
      // Of equal keys the lower rank comes first; a group of a group; a group of one.
      let again = try half.split(color: 1_000_000_007, key: 3)
      try expect(again.rank == half.rank && again.size == half.size, "rank \(rank): \(again.rank) in the same group")
      let single = try again.split(color: again.rank, key: 0)
      try expect(single.rank == 0 && single.size == 1, "rank \(rank): not alone")
      try single.barrier()
      try again.barrier()
    },
    Law(name: "waiting in one group moves the other forward") { communicator in
      let other = try communicator.split(color: 0, key: communicator.rank)
      let size = 50_000
      let a = Block<Int32>(size) { Int32.value(rank: communicator.rank, index: $0) }
      let b = Block<Int32>(size) { Int32.value(rank: communicator.rank, index: $0) }
      let first = try communicator.startAllReduce(a.buffer, .maximum)
      let second = try other.startAllReduce(b.buffer, .minimum)
      if communicator.rank % 2 == 0 {
        try communicator.wait(first)
        try other.wait(second)
      } else {
        try other.wait(second)
        try communicator.wait(first)
      }
      let ranks = 0..<communicator.size
      try expectSame(
        a, { index in ranks.map { Int32.value(rank: $0, index: index) }.max() ?? 0 }, "rank \(communicator.rank)")
      try expectSame(
        b, { index in ranks.map { Int32.value(rank: $0, index: index) }.min() ?? 0 }, "rank \(communicator.rank)")
    },
    Law(name: "a meter changes nothing and counts by formula") { communicator in
      let metered = MeteredCommunicator(communicator)
      let (rank, ranks) = (metered.rank, metered.size)
      let block = Block<Float>(1_001) { Float($0 + rank) }
      try metered.allReduce(block.buffer, .sum)
      try expectSame(block, { Float($0 * ranks + ranks * (ranks - 1) / 2) }, "rank \(rank): sum through a meter")
      let own = 1_001 * (rank + 1) / ranks - 1_001 * rank / ranks
      let meter = metered.ledger[.allReduce]
      try expect(meter.bytes == 4 * (1_001 - own + (ranks - 1) * own), "rank \(rank): \(meter.bytes) bytes")
      try expect(meter.messages == 2 * (ranks - 1), "rank \(rank): \(meter.messages) messages")
      try expect(meter.calls == 1, "rank \(rank): \(meter.calls) calls")
      let group = try metered.split(color: rank, key: 0)
      try group.barrier()
      try metered.wait(try metered.startBroadcast(block.buffer, root: 0))
      let sent = rank == 0 ? (ranks - 1) * 4_004 : 0
      let broadcast = metered.ledger[.broadcast].bytes
      try expect(broadcast == sent, "rank \(rank): broadcast \(broadcast) bytes, not \(sent)")
      try expect(metered.ledger[.barrier].calls == 1, "rank \(rank): the group's barrier was not counted")
      try expect(metered.ledger.total.bytes == meter.bytes + sent, "rank \(rank): total \(metered.ledger.total.bytes)")
      try expect(metered.ledger.labels.isEmpty, "rank \(rank): a label that no call had")
      try metered.wait(try metered.startBarrier(label: 2))
      let calls = metered.ledger.labels.map(\.calls)
      try expect(calls == [0, 0, 1], "rank \(rank): calls by label \(calls)")
    },
    Law(name: "memory of a communicator is zeroed, aligned, and can be exchanged") { communicator in
      for count in [0, 1, 5_000] {
        let memory = try communicator.allocate(byteCount: 4 * count)
        let scalars = UnsafeMutableBufferPointer(
          start: memory.base.bindMemory(to: Int32.self, capacity: count), count: count)
        let what = "rank \(communicator.rank): \(4 * count) bytes"
        try expect(memory.byteCount == 4 * count, "\(what) became \(memory.byteCount)")
        try expect(UInt(bitPattern: memory.base) % 64 == 0, "\(what) at \(memory.base)")
        try expect(scalars.allSatisfy { $0 == 0 }, "\(what) are not zero")
        for index in 0..<count { scalars[index] = Int32(index + communicator.rank) }
        try communicator.allReduce(scalars, .maximum)
        for index in 0..<count {
          try expect(scalars[index] == Int32(index + communicator.size - 1), "\(what): \(scalars[index]) at \(index)")
        }
        withExtendedLifetime(memory) {}
      }
    },
    Law(name: "what the wire carried never decreases, and is at least what was sent") { communicator in
      let block = Block<Int16>(3_000) { Int16.value(rank: communicator.rank, index: $0) }
      let before = communicator.wireBytes
      if communicator.size > 1, communicator.rank == 0 { try communicator.send(block.constant, to: 1) }
      if communicator.rank == 1 { try communicator.receive(block.buffer, from: 0) }
      let moved = communicator.wireBytes - before
      try expect(moved == 0 || (communicator.rank == 0 && moved >= 6_000), "rank \(communicator.rank): \(moved) bytes")
    },
  ]
}
