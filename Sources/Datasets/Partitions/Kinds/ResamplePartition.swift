import Configuration

/// So many samples of each client, drawn from all with replacement when they are asked for.  Nothing is stored, and clients
/// may outnumber the samples.
struct ResamplePartition: PartitionKind {
  static let name = "resample"
  static let help =
    "each client's samples are drawn from all of them, with replacement, on demand: clients may outnumber samples"

  let samples: Int

  init(_ options: inout Options) throws(ConfigurationError) {
    samples = try options.integer(
      "samples", default: 60, in: 1...1_000_000, unit: "samples", "samples of each client")
  }

  func partition(_ set: PartitionedSet, clients: Int, seed: UInt64) throws(PartitionRefusal) -> Partition {
    Partition(drawing: samples, from: set.count, clients: clients, seed: seed)
  }
}
