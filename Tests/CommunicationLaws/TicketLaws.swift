import Communication
import Dispatch
import Synchronization

extension Law {
  /// Counters that hand out work.
  static let tickets: [Law] = [
    Law(name: "every ticket is taken once, by whoever is idle") { communicator in
      let counter = try communicator.makeTicketCounter()
      for tickets in [0, 1, 1_000] {
        // One counter of each group of tickets: what is beyond the last is left over.
        let own = try communicator.makeTicketCounter()
        let taken = Block<Int32>(tickets) { _ in 0 }
        while case let ticket = try own.next(), ticket < tickets { taken.buffer[ticket] += 1 }
        try communicator.allReduce(taken.buffer, .sum)
        try expectSame(taken, { _ in 1 }, "rank \(communicator.rank): times that a ticket of \(tickets) was taken")
      }
      // The other counter was left alone.
      let sum = Block<Int64>(1) { _ in Int64((try? counter.next()) ?? -1) }
      try communicator.allReduce(sum.buffer, .sum)
      let ranks = communicator.size
      try expectSame(sum, { _ in Int64(ranks * (ranks - 1) / 2) }, "rank \(communicator.rank): sum of first tickets")
    },
    Law(name: "one counter serves round after round, and all threads of a rank") { communicator in
      let counter = try communicator.makeTicketCounter()
      let threads = 3
      var base = 0
      for round in 0..<5 {
        let tickets = 50 * round
        let taken = Mutex<[Int]>([])
        let failures = Mutex<[CommunicationError]>([])
        let first = base
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
          do throws(CommunicationError) {
            var last = -1
            while case let ticket = try counter.next() - first, ticket < tickets {
              if ticket <= last { failures.withLock { $0.append(CommunicationError(.mismatch, "\(ticket) again")) } }
              last = ticket
              taken.withLock { $0.append(ticket) }
            }
          } catch {
            failures.withLock { $0.append(error) }
          }
        }
        if let failure = failures.withLock({ $0.first }) { throw failure }
        let counts = Block<Int32>(tickets) { _ in 0 }
        for ticket in taken.withLock({ $0 }) {
          try expect(ticket >= 0, "rank \(communicator.rank): ticket \(ticket) of the round before")
          counts.buffer[ticket] += 1
        }
        try communicator.allReduce(counts.buffer, .sum)
        try expectSame(counts, { _ in 1 }, "rank \(communicator.rank): times a ticket of round \(round) was taken")
        // To add up nothing waits for nobody.
        try communicator.barrier()
        // Every taker had one ticket too many.
        base += tickets + threads * communicator.size
      }
    },
    Law(name: "groups have counters of their own") { communicator in
      let whole = try communicator.makeTicketCounter()
      let half = try communicator.split(color: communicator.rank % 2, key: communicator.rank)
      let counter = try half.makeTicketCounter()
      let taken = Block<Int32>(100) { _ in 0 }
      while case let ticket = try counter.next(), ticket < 100 { taken.buffer[ticket] += 1 }
      try half.allReduce(taken.buffer, .sum)
      try expectSame(taken, { _ in 1 }, "rank \(communicator.rank): times that a ticket of its group was taken")
      let ranks = communicator.size
      let first = try whole.next()
      try expect(first >= 0 && first < ranks, "rank \(communicator.rank): \(first) is the first of \(ranks) takers")
      try communicator.barrier()
    },
    Law(name: "ranks that wait do not keep tickets from others") { communicator in
      let counter = try communicator.makeTicketCounter()
      // Rank 0 is in a collective while the others take theirs.
      if communicator.rank > 0 {
        var last = -1
        for _ in 0..<100 {
          let ticket = try counter.next()
          try expect(ticket > last, "rank \(communicator.rank): \(ticket) after \(last)")
          last = ticket
        }
      }
      try communicator.barrier()
      let sum = Block<Int64>(1) { _ in Int64((try? counter.next()) ?? -1) }
      try communicator.allReduce(sum.buffer, .minimum)
      let least = 100 * (communicator.size - 1)
      try expectSame(sum, { _ in Int64(least) }, "rank \(communicator.rank): least ticket after the others'")
    },
  ]
}
