import Configuration
import Tensors

/// A partition that deals each sample to at most one client.
///
/// Where sizes are drawn, all is drawn again while a client has fewer than `minimum` samples, at most 100 times, each draw
/// under its own key (J. Wang et al., NIID-Bench 2021, do so without a limit).
protocol DealtPartition: PartitionKind {
  /// Samples that every client is to have.
  var minimum: Int { get }
  /// Why these samples cannot be dealt so; nil when they can.
  func refusal(_ set: PartitionedSet, clients: Int) -> String?
  /// Whether another draw would give other sizes.
  func drawsSizes(_ set: PartitionedSet, clients: Int) -> Bool
  /// Deals the samples.
  func deal(_ draw: inout PartitionDraw)
}

extension DealtPartition {
  /// Nothing to refuse, unless a kind says so.
  func refusal(_ set: PartitionedSet, clients: Int) -> String? { nil }
  /// Sizes follow from the numbers, unless a kind says so.
  func drawsSizes(_ set: PartitionedSet, clients: Int) -> Bool { false }

  func partition(_ set: PartitionedSet, clients: Int, seed: UInt64) throws(PartitionRefusal) -> Partition {
    guard clients <= set.count else {
      throw PartitionRefusal(
        "\(clients) clients are more than the \(set.count) training samples; lower federated.clients or use `resample`")
    }
    if let refusal = refusal(set, clients: clients) { throw PartitionRefusal(refusal) }
    guard minimum <= set.count / clients else {
      throw PartitionRefusal(
        "\(clients) clients cannot have \(minimum) of \(set.count) training samples each; lower federated.clients or "
          + "partition.minimum")
    }
    let redraws = drawsSizes(set, clients: clients) ? PartitionDraw.redraws : 0
    var last: PartitionSizes?
    for attempt in 0...redraws {
      var draw = PartitionDraw(set, clients: clients, seed: seed, attempt: attempt)
      deal(&draw)
      let partition = Partition(owners: draw.owners, clients: clients)
      let sizes = PartitionSizes(partition)
      if sizes.minimum >= minimum { return partition }
      last = sizes
    }
    let drawn = redraws > 0 ? " in any of \(redraws + 1) draws" : ""
    throw PartitionRefusal(
      "`\(Self.name)` does not give every client \(minimum) samples\(drawn) (\(last?.description ?? "")); "
        + "lower federated.clients or partition.minimum")
  }
}

extension Options {
  /// The key `minimum` of kinds that deal samples.
  mutating func minimum() throws(ConfigurationError) -> Int {
    try integer(
      "minimum", default: 10, in: 0...Int(Int32.max), unit: "samples",
      "what every client has at least: sizes are drawn again for it, at most 100 times; 0 allows empty clients")
  }
}

/// One draw of a partition: the samples, the random streams, and who owns what so far.
struct PartitionDraw {
  static let redraws = 100

  let set: PartitionedSet
  let clients: Int
  /// The client of every sample; -1 while it is nobody's.
  private(set) var owners: [Int32]
  private let seed: UInt64
  private let attempt: Int

  init(_ set: PartitionedSet, clients: Int, seed: UInt64, attempt: Int) {
    self.set = set
    self.clients = clients
    self.seed = seed
    self.attempt = attempt
    owners = [Int32](repeating: -1, count: set.count)
  }

  /// What the streams of a draw are for.
  enum Use: UInt64 { case order, shares, choice }

  /// The stream for a use, of a class or client where each has its own.
  func stream(_ use: Use, of number: Int = 0) -> RandomStream {
    RandomStream(
      seed: seed, .partition, epoch: UInt64(attempt), sample: UInt64(number), layer: use.rawValue)
  }

  /// Gives samples to a client.
  mutating func give(_ samples: some Sequence<Int32>, to client: Int) {
    for sample in samples { owners[Int(sample)] = Int32(client) }
  }

  /// Gives shuffled samples to some clients in consecutive parts that differ by at most one.
  mutating func giveEqually(_ samples: [Int32], to receivers: [Int32]) {
    for (place, client) in receivers.enumerated() {
      let start = place * samples.count / receivers.count
      let end = (place + 1) * samples.count / receivers.count
      give(samples[start..<end], to: Int(client))
    }
  }

  /// Gives shuffled samples to all clients, cut at ⌊(q₀ + … + qₖ)·n⌋; the last client takes the rest.
  mutating func give(_ samples: [Int32], shares: [Double]) {
    var sum = 0.0
    var start = 0
    for client in 0..<clients {
      sum += shares[client]
      let cut = client == clients - 1 ? samples.count : min(samples.count, Int(sum * Double(samples.count)))
      give(samples[start..<cut], to: client)
      start = cut
    }
  }
}

extension Array where Element == Int32 {
  /// The numbers in a random order.
  func shuffled(by stream: inout RandomStream) -> [Int32] { stream.permutation(count).map { self[Int($0)] } }
}
