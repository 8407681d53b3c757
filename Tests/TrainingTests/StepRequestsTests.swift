import Datasets
import Testing
import Training

@Suite("The batches that a rank asks for")
struct StepRequestsTests {
  @Test("are its shards of each batch of each step, whatever the ranks", arguments: [1, 2, 3], [1, 3])
  func requests(ranks: Int, accumulate: Int) {
    let sampler = Sampler(count: 50, batch: 16, shards: 4, seed: 2)
    let schedule = BatchSchedule(sampler, accumulate: accumulate)
    for rank in 0..<ranks {
      let shards = (rank * 4 / ranks)..<((rank + 1) * 4 / ranks)
      let requests = StepRequests(schedule, shards: shards, first: 2)
      for step in 2..<9 {
        let epoch = schedule.epoch(step)
        for shard in shards {
          for batch in schedule.batches(step) {
            let request = requests.next()
            #expect(request?.epoch == UInt64(epoch))
            #expect(
              request.map { Array($0.samples) }
                == Array(sampler.order(epoch: epoch)[sampler.range(batch: batch, shard: shard)]))
          }
        }
      }
    }
    #expect(StepRequests(schedule, shards: 2..<2, first: 0).next() == nil)
  }
}
