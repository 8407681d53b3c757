import Configuration
import Tensors

/// Samples sorted by class and cut into shards, some for each client (H. B. McMahan et al., AISTATS 2017, section 3, which
/// gives each of 100 clients 2 shards of 300 digits).
struct ShardPartition: DealtPartition {
  static let name = "shards"
  static let help = "samples sorted by class and cut into equal shards; each client gets some of them at random"

  let shardsPerClient: Int
  let samples: Int?
  let minimum: Int

  init(_ options: inout Options) throws(ConfigurationError) {
    shardsPerClient = try options.integer(
      "shards-per-client", default: 2, in: 1...1_000_000, unit: "shards", "shards of one client")
    samples = try options.optionalInteger(
      "samples", in: 1...Int(Int32.max), unit: "samples",
      "samples of a shard; what all shards leave is nobody's; without it the shards take all samples")
    minimum = try options.minimum()
  }

  func refusal(_ set: PartitionedSet, clients: Int) -> String? {
    if let refusal = set.lacksLabels(ShardPartition.name) { return refusal }
    let shards = clients * shardsPerClient
    guard shards <= set.count / (samples ?? 1) else {
      return
        "\(clients) clients of \(shardsPerClient) shards of \(samples ?? 1) samples need more than the \(set.count) "
        + "training samples; lower federated.clients, partition.shards-per-client or partition.samples"
    }
    return nil
  }

  func deal(_ draw: inout PartitionDraw) {
    let sorted = (draw.set.samplesByClass() ?? []).flatMap { $0 }
    let wanted = draw.clients * shardsPerClient
    // Of shards of a given size there may be more than clients take; those taken are drawn from all.
    let shards = samples.map { sorted.count / $0 } ?? wanted
    var stream = draw.stream(.choice)
    for (place, shard) in stream.permutation(shards).prefix(wanted).enumerated() {
      let start = samples.map { Int(shard) * $0 } ?? Int(shard) * sorted.count / shards
      let end = samples.map { start + $0 } ?? (Int(shard) + 1) * sorted.count / shards
      draw.give(sorted[start..<end], to: place / shardsPerClient)
    }
  }
}
