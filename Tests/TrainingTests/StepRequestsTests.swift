import Datasets
import Testing
import Training

@Suite("The batches that a rank asks for")
struct StepRequestsTests {
  @Test(
    "are its shards of each batch of each step, whatever the ranks", arguments: [1, 2, 3],
    [(1, false), (3, false), (1, true), (3, true)])
  func requests(ranks: Int, _ order: (accumulate: Int, sideBySide: Bool)) {
    let (accumulate, sideBySide) = order
    let sampler = Sampler(count: 50, batch: 16, shards: 4, seed: 2)
    let schedule = BatchSchedule(sampler, accumulate: accumulate)
    for rank in 0..<ranks {
      let shards = (rank * 4 / ranks)..<((rank + 1) * 4 / ranks)
      let requests = StepRequests(schedule, shards: shards, first: 2, sideBySide: sideBySide)
      for step in 2..<9 {
        let epoch = schedule.epoch(step)
        let batches = schedule.batches(step)
        let order =
          sideBySide
          ? batches.flatMap { batch in shards.map { (shard: $0, batch: batch) } }
          : shards.flatMap { shard in batches.map { (shard: shard, batch: $0) } }
        for (shard, batch) in order {
          let request = requests.next()
          #expect(request?.epoch == UInt64(epoch))
          #expect(
            request.map { Array($0.samples) }
              == Array(sampler.order(epoch: epoch)[sampler.range(batch: batch, shard: shard)]))
        }
      }
    }
    #expect(StepRequests(schedule, shards: 2..<2, first: 0).next() == nil)
  }
}
