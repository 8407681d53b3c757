import Datasets
import Strategies
import Tensors

/// A worker's part of a step in which shards meet: all its shards go on together, each with activations of its own.
extension Worker {
  /// Begins a batch of the step on every shard, and runs to the first meeting.
  func begin(_ step: Step, batch index: Int, _ exchange: MeetingExchange, firstShard: Int) throws(RunError) {
    for lane in lanes {
      if index == 0 { lane.isFilled = false }
      let batch = try next()
      lane.batch = batch
      lane.executor = batch.count > 0 ? executor(lane, batch.count) : nil
      lane.executor?.begin(inputs(batch, lane.shard, step, gradients: lane.target(block)))
    }
    advance(to: 0, exchange, firstShard: firstShard)
  }

  /// Takes what a meeting has brought, if there was one, and runs to the next, or to the end.
  func advance(to meeting: Int, _ exchange: MeetingExchange, firstShard: Int) {
    let meetings = exchange.meetings
    for lane in lanes {
      let place = exchange.place(ofShard: lane.shard - firstShard)
      guard let executor = lane.executor else {
        if meeting < meetings.count { place.update(repeating: 0, count: meetings[meeting].count) }
        continue
      }
      if meeting > 0 {
        executor.numbers(ofMeeting: meeting - 1).update(from: exchange.result, count: meetings[meeting - 1].count)
      }
      executor.advance()
      if meeting < meetings.count {
        place.update(from: executor.numbers(ofMeeting: meeting), count: meetings[meeting].count)
      }
    }
  }

  /// Writes the tails of what the present batch leaves; to be called once its losses are known.
  func settle(_ step: Step) {
    for lane in lanes {
      if let executor = lane.executor {
        finish(lane.target(block), executor, step)
      } else if !lane.isFilled {
        leaveNothing(in: lane.leaf, step)
      }
    }
  }

  /// Ends the present batch; `adds` where its gradients are not yet added to those of the batches before.
  func end(adds: Bool) {
    for lane in lanes {
      if adds { lane.add(0..<block.count) }
      if lane.executor != nil { lane.isFilled = true }
      lane.executor = nil
      if let batch = lane.batch { recycle(batch) }
      lane.batch = nil
    }
  }

  private func executor(_ lane: ShardLane, _ batch: Int) -> Executor {
    if let known = lane.executors[batch] { return known }
    let made = Executor(library.plan(.training, batch), pool: lane.pool)
    lane.executors[batch] = made
    return made
  }
}
