/// Each sample, and after it a hybrid of it with another of the shard: mask · sample + (1 − mask) · other, where the mask has
/// large regions of ones and zeros (Hinton 2022, section 3.2).
struct HybridPairs: Operation {
  let name = "hybrid pairs"
  let samples: Int
  let height: Int
  let width: Int
  let channels: Int
  /// How often the random bits are blurred.
  let blurs: Int
  let layer: UInt64

  private var positions: Int { height * width }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let (positions, size) = (positions, positions * channels)
    return Lowering(scratchBytes: 2 * PoolPlan.aligned(positions * 4)) { at in
      let (x, y, scratch) = (at.inputs[0], at.outputs[0], at.scratch)
      return { run in
        let (mask, work) = (run[scratch], run[scratch] + PoolPlan.aligned(positions &* 4) / 4)
        for sample in 0..<samples {
          var random = RandomStream(
            seed: run.seed, .noise, epoch: run.epoch, sample: run.sampleKeys[sample], layer: layer)
          let other = samples > 1 ? (sample &+ 1 &+ random.below(samples &- 1)) % samples : sample
          fill(mask, work, &random)
          let (own, foreign) = (run[x] + sample &* size, run[x] + other &* size)
          let row = run[y] + 2 &* sample &* size
          row.update(from: own, count: size)
          let hybrid = row + size
          for position in 0..<positions {
            let source = mask[position] > 0.5 ? own : foreign
            let start = position &* channels
            for c in start..<start &+ channels { hybrid[c] = source[c] }
          }
        }
      }
    }
  }

  /// Random bits, blurred.
  private func fill(
    _ mask: UnsafeMutablePointer<Float>, _ work: UnsafeMutablePointer<Float>, _ random: inout RandomStream
  ) {
    var bits: UInt32 = 0
    for position in 0..<positions {
      if position & 31 == 0 { bits = random.nextWord() }
      mask[position] = Float(bits & 1)
      bits >>= 1
    }
    for _ in 0..<blurs {
      HybridPairs.blur(mask, into: work, lines: height, step: width, count: width)
      for row in 0..<height { HybridPairs.blurLine(work + row &* width, into: mask + row &* width, width) }
    }
  }

  /// Across lines: y[l] = ¼ x[l − 1] + ½ x[l] + ¼ x[l + 1]; beyond the edge the line at the edge counts.
  @inline(never)
  private static func blur(
    _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, lines: Int, step: Int, count: Int
  ) {
    for line in 0..<lines {
      let before = x + max(0, line &- 1) &* step
      let (here, after, to) = (x + line &* step, x + min(lines &- 1, line &+ 1) &* step, y + line &* step)
      var i = 0
      while i < count {
        to[i] = 0.25 * before[i] + 0.5 * here[i] + 0.25 * after[i]
        i &+= 1
      }
    }
  }

  /// The same along a line.
  @inline(never)
  private static func blurLine(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, _ count: Int) {
    var i = 1
    while i < count &- 1 {
      y[i] = 0.25 * x[i &- 1] + 0.5 * x[i] + 0.25 * x[i &+ 1]
      i &+= 1
    }
    let last = count &- 1
    y[0] = 0.75 * x[0] + 0.25 * x[min(1, last)]
    y[last] = 0.75 * x[last] + 0.25 * x[max(0, last &- 1)]
  }
}

extension Recorder {
  /// Two rows for each of the samples `x`, `[batch, …] → [2 · batch, …]`: row 2s is sample s, row 2s + 1 its hybrid.
  ///
  /// The mask of a hybrid comes from random bits that are blurred `blurs` times with [¼, ½, ¼] along both axes of an image (or
  /// along a row of scalars) and compared with ½.  The other of sample s is number s + 1 + r of the shard, modulo its samples,
  /// r uniform below samples − 1.  All is keyed by seed, epoch and sample; a shard of one sample has no other.
  public func hybridPairs(_ x: Value, blurs: Int) -> Value {
    let sample = shape(x).sample
    precondition(!needsGradient(x) && sample.count > 0, "hybrids of \(shape(x))")
    let isImage = sample.rank == 3
    let operation = HybridPairs(
      samples: shape(x)[0], height: isImage ? sample[0] : 1, width: isImage ? sample[1] : sample.count,
      channels: isImage ? sample[2] : 1, blurs: blurs, layer: nextRandomLayer())
    return append(operation, [x], [.new(sample.batched(2 * shape(x)[0]))])[0]
  }
}
