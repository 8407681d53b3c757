import Tensors

/// Which samples every client holds.
///
/// Four bytes a client and four a sample; a drawn partition stores nothing.  Reading is safe from any thread.
public struct Partition: Sendable {
  private enum Content: Sendable {
    /// Samples by client, ascending within each; client k holds `order[offsets[k]..<offsets[k + 1]]`.
    case dealt(order: [Int32], offsets: [Int32])
    /// So many samples of each client, drawn by key whenever they are asked for.
    case drawn(count: Int, seed: UInt64)
  }

  /// Clients, numbered from 0.
  public let clients: Int
  /// Samples of the set that was dealt.
  public let total: Int
  private let content: Content

  /// Samples dealt by their owners; an owner below 0 is nobody.
  init(owners: [Int32], clients: Int) {
    precondition(clients > 0 && clients < Int(Int32.max), "\(clients) clients")
    var offsets = [Int32](repeating: 0, count: clients + 1)
    for owner in owners where owner >= 0 { offsets[Int(owner) + 1] += 1 }
    for client in 0..<clients { offsets[client + 1] += offsets[client] }
    // While samples are dealt, an offset is where the client's next sample goes; afterwards all moved on by one client.
    var order = [Int32](repeating: 0, count: Int(offsets[clients]))
    for (sample, owner) in owners.enumerated() where owner >= 0 {
      order[Int(offsets[Int(owner)])] = Int32(sample)
      offsets[Int(owner)] += 1
    }
    for client in stride(from: clients, to: 0, by: -1) { offsets[client] = offsets[client - 1] }
    offsets[0] = 0
    self.clients = clients
    total = owners.count
    content = .dealt(order: order, offsets: offsets)
  }

  /// Clients that draw `count` samples each, with replacement, from all `total`.
  init(drawing count: Int, from total: Int, clients: Int, seed: UInt64) {
    precondition(clients > 0 && count > 0 && total > 0, "\(count) of \(total) samples for each of \(clients) clients")
    self.clients = clients
    self.total = total
    content = .drawn(count: count, seed: seed)
  }

  /// A partition in which one client has all samples: what it brings itself, whatever others may have.
  public init(all samples: Int, of client: Int, clients: Int) {
    precondition(client >= 0 && client < clients, "client \(client) of \(clients)")
    self.init(owners: [Int32](repeating: Int32(client), count: samples), clients: clients)
  }

  /// Samples of a client.
  public func count(of client: Int) -> Int {
    precondition(client >= 0 && client < clients, "client \(client) of \(clients)")
    switch content {
    case .dealt(_, let offsets): return Int(offsets[client + 1] - offsets[client])
    case .drawn(let count, _): return count
    }
  }

  /// Replaces the content of `buffer` by the numbers of a client's samples.  Allocates nothing once the buffer has held as
  /// many (``largest``).
  public func samples(of client: Int, into buffer: inout [Int32]) {
    precondition(client >= 0 && client < clients, "client \(client) of \(clients)")
    buffer.removeAll(keepingCapacity: true)
    switch content {
    case .dealt(let order, let offsets): buffer += order[Int(offsets[client])..<Int(offsets[client + 1])]
    case .drawn(let count, let seed):
      var stream = RandomStream(seed: seed, .partition, sample: UInt64(client), layer: Partition.drawing)
      for _ in 0..<count { buffer.append(Int32(stream.below(total))) }
    }
  }

  /// Samples of the client that has most.
  public var largest: Int { isDrawn ? count(of: 0) : (0..<clients).reduce(0) { max($0, count(of: $1)) } }

  /// Whether clients draw from all samples, so that each has as many and they may share them.
  public var isDrawn: Bool {
    if case .drawn = content { return true }
    return false
  }

  /// SHA-256 of what every client holds, in hexadecimal.
  public func fingerprint() -> String {
    var checksum = Checksum()
    checksum.update(clients)
    checksum.update(total)
    switch content {
    case .dealt(let order, let offsets):
      checksum.update(0)
      checksum.update(offsets)
      checksum.update(order)
    case .drawn(let count, let seed):
      checksum.update(1)
      checksum.update(count)
      checksum.update(Int(truncatingIfNeeded: seed))
    }
    return checksum.hexadecimal()
  }

  /// The layer of the streams that draw samples; those that deal have small numbers.
  private static let drawing: UInt64 = 1 << 32
}
