import Tensors

extension Partition {
  /// Two partitions among the same clients without common samples: of each client's n samples ⌊n · share⌉ are held out, at
  /// least one and not all where it has two or more.  Which ones is a permutation keyed by seed and client.
  ///
  /// Precondition: clients own their samples (``isDrawn`` is false) and 0 < share < 1.
  public func holdingOut(_ share: Double, seed: UInt64) -> (kept: Partition, heldOut: Partition) {
    precondition(!isDrawn && share > 0 && share < 1, "a share of \(share) held out")
    let nobody = [Int32](repeating: -1, count: total)
    var (kept, heldOut) = (nobody, nobody)
    var samples: [Int32] = []
    for client in 0..<clients {
      self.samples(of: client, into: &samples)
      var stream = RandomStream(seed: seed, .split, sample: UInt64(client), layer: Partition.holdingOut)
      let wanted = Int((Double(samples.count) * share).rounded())
      let size = samples.count < 2 ? 0 : min(max(1, wanted), samples.count - 1)
      for (place, number) in stream.permutation(samples.count).enumerated() {
        let sample = Int(samples[Int(number)])
        if place < size { heldOut[sample] = Int32(client) } else { kept[sample] = Int32(client) }
      }
    }
    return (Partition(owners: kept, clients: clients), Partition(owners: heldOut, clients: clients))
  }

  /// The layer of the streams that hold out; those that cut whole sets have small numbers.
  private static let holdingOut: UInt64 = 1 << 32
}
