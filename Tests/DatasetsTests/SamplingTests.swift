import Datasets
import Synchronization
import Tensors
import Testing

@Suite("Laws of the sampler")
struct SamplerTests {
  @Test(
    "an epoch holds every sample once; shards of a batch differ by at most one sample",
    arguments: [1, 2, 7, 64, 101], [(1, 1), (8, 3), (8, 8), (16, 5), (101, 4), (200, 8)])
  func partition(count: Int, cut: (batch: Int, shards: Int)) {
    for seed in [nil, 9] as [UInt64?] {
      let sampler = Sampler(count: count, batch: cut.batch, shards: cut.shards, seed: seed)
      for epoch in 0..<2 {
        let order = sampler.order(epoch: epoch)
        var seen: [Int32] = []
        var end = 0
        for batch in 0..<sampler.batches {
          var sizes: [Int] = []
          for shard in 0..<cut.shards {
            let range = sampler.range(batch: batch, shard: shard)
            #expect(range.lowerBound == end)
            end = range.upperBound
            sizes.append(range.count)
            seen += order[range]
          }
          #expect(sizes.reduce(0, +) == sampler.size(batch))
          #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
          #expect((sizes.max() ?? 0) <= sampler.largestShard)
        }
        #expect(seen.sorted() == (0..<Int32(count)).map { $0 })
      }
    }
  }

  @Test("epochs and seeds shuffle differently, the same ones alike")
  func keys() {
    func order(_ seed: UInt64, _ epoch: Int) -> [Int32] {
      Sampler(count: 100, batch: 10, seed: seed).order(epoch: epoch)
    }
    #expect(order(1, 0) == order(1, 0))
    #expect(Set([order(1, 0), order(1, 1), order(2, 0)]).count == 3)
    #expect(Sampler(count: 5, batch: 2, seed: nil).order(epoch: 3) == [0, 1, 2, 3, 4])
    #expect(Sampler(count: 5, batch: 2, seed: 1).position(7) == (2, 1))
  }

  @Test("chunks cover a set in its order")
  func chunks() {
    #expect(Sampler.chunks(of: 7, size: 3) == [0..<3, 3..<6, 6..<7])
    #expect(Sampler.chunks(of: 0, size: 3).isEmpty)
  }
}

@Suite("Batches and prefetching")
struct PrefetchTests {
  let source = AugmentedSource(
    images(40, side: 6, channels: 3), seed: 1, crop: 2, flip: true, padding: .reflection)

  /// What a batch holds, as bits.
  func bits(_ batch: Batch) -> [UInt64] {
    let inputs = batch.count * batch.inputShape.count
    return (0..<inputs).map { UInt64(batch.inputFloats[$0].bitPattern) }
      + (0..<batch.count).map { UInt64(UInt32(bitPattern: batch.targetClasses[$0])) }
      + (0..<batch.count).map { batch.sampleKeys[$0] }
  }

  @Test("a batch holds its samples row by row, on cache lines, and who they are")
  func batch() {
    let part = SubsetSource(source, [30, 20, 10])
    let batch = Batch(capacity: 4, of: part)
    batch.fill(from: part, samples: [2, 0], epoch: 3)
    #expect(batch.count == 2)
    #expect([batch.sampleKeys[0], batch.sampleKeys[1]] == [10, 30])
    #expect(Int(bitPattern: batch.input) % 64 == 0 && Int(bitPattern: batch.targets) % 64 == 0)
    let row = (0..<108).map { batch.inputFloats[108 + $0] }
    #expect(row == floats(source, 30, epoch: 3))
    #expect(Int(batch.targetClasses[1]) == source.label(30))
  }

  @Test("prefetching equals direct reading, in order", arguments: [1, 2, 5])
  func order(depth: Int) throws {
    let sampler = Sampler(count: 40, batch: 12, shards: 3, seed: 4)
    let requests = (0..<9).flatMap { global in
      let (epoch, batch) = sampler.position(global)
      return (1..<3).map { shard in
        BatchRequest(
          samples: sampler.order(epoch: epoch)[sampler.range(batch: batch, shard: shard)], epoch: UInt64(epoch))
      }
    }
    let prefetcher = try Prefetcher(source, capacity: sampler.largestShard, depth: depth) {
      $0 < requests.count ? requests[$0] : nil
    }
    let expected = Batch(capacity: sampler.largestShard, of: source)
    var index = 0
    while let batch = try prefetcher.next() {
      let request = requests[index]
      expected.fill(from: source, samples: request.samples, epoch: request.epoch)
      #expect(bits(batch) == bits(expected))
      prefetcher.recycle(batch)
      index += 1
    }
    #expect(index == 18)
    #expect(try prefetcher.next() == nil)
  }

  @Test("stopping early ends the thread", arguments: [0, 1, 2])
  func stops(taken: Int) throws {
    let asked = Mutex(0)
    let prefetcher = try Prefetcher(source, capacity: 4, depth: 3) { index in
      asked.withLock { $0 = max($0, index + 1) }
      return BatchRequest(samples: [0, 1, 2, 3], epoch: UInt64(index))
    }
    for _ in 0..<taken { _ = try prefetcher.next() }
    prefetcher.stop()
    prefetcher.stop()
    // The thread was joined: nobody asks any more, and it never ran further ahead than the ring is long.
    #expect(asked.withLock { $0 } <= 3)
    #expect(try prefetcher.next() == nil)
  }

  @Test("an error reaches the consumer, after the batches before it")
  func fails() throws {
    let prefetcher = try Prefetcher(source, capacity: 4, depth: 2) { (index) throws(DataError) in
      if index == 2 { throw DataError(.unreadable, "the third request fails") }
      return BatchRequest(samples: [Int32(index)], epoch: 0)
    }
    for index in 0..<2 {
      let batch = try #require(try prefetcher.next())
      #expect(batch.sampleKeys[0] == UInt64(index))
      prefetcher.recycle(batch)
    }
    #expect(message { _ = try prefetcher.next() } == "the third request fails")
  }
}
