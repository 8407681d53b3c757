import Federated
import Tensors

/// Who shares masks with whom: everybody with everybody (Bonawitz et al. 2017), or each client with the k/2 next to it on both
/// sides of a shuffled ring (a k-regular graph of Harary, Bell et al. 2020, section 3.1).
///
/// A neighbourhood is a client with its neighbours, ascending; share number s + 1 of its secrets is that of the client at place
/// s, so that with even k the count of shares is odd.  The ring is shuffled by (seed, round).  Clients do not check the graph:
/// against a server that chooses it to surround a client with its own, only the complete one helps.
public struct SecureGraph: Sendable, Hashable {
  /// Ascending.
  public let clients: [Int]
  /// The neighbourhood of each of them.
  private let neighbourhoods: [[Int]]
  /// Place of each client.
  private let places: [Int: Int]
  /// Whether all clients are neighbours.
  public let isComplete: Bool

  /// The graph over those who advertised.  Throws where a neighbourhood would have more clients than there are shares.
  public init(_ clients: [Int], neighbours: Int?, seed: UInt64, round: Int) throws(SecureAggregationError) {
    let clients = clients.sorted()
    self.clients = clients
    places = Dictionary(uniqueKeysWithValues: clients.enumerated().map { ($1, $0) })
    let limit = SecureAggregationOptions.largestNeighbourhood
    guard let neighbours, neighbours < clients.count - 1 else {
      guard clients.count <= limit else {
        throw SecureAggregationError(
          .refused,
          "\(clients.count) clients are too many for a complete graph, which has at most \(limit); take secagg+")
      }
      isComplete = true
      neighbourhoods = Array(repeating: clients, count: clients.count)
      return
    }
    isComplete = false
    var ring = clients
    var random = RandomStream(seed: seed, .selection, epoch: UInt64(round), layer: SelectionStream.neighbours)
    for place in stride(from: ring.count - 1, to: 0, by: -1) { ring.swapAt(place, random.below(place + 1)) }
    var neighbourhoods: [[Int]] = Array(repeating: [], count: clients.count)
    let count = ring.count
    for (place, client) in ring.enumerated() {
      let around = (-(neighbours / 2)...neighbours / 2).map { ring[(place + $0 + count) % count] }
      neighbourhoods[places[client, default: 0]] = around.sorted()
    }
    self.neighbourhoods = neighbourhoods
  }

  /// A client of the graph with its neighbours, ascending.
  public func neighbourhood(_ client: Int) -> [Int] {
    guard let place = places[client] else { preconditionFailure("client \(client) is not in the graph") }
    return neighbourhoods[place]
  }

  /// The number of the share of a client's secrets that another one of its neighbourhood holds: 1…255.
  func shareNumber(of client: Int, heldBy holder: Int) -> UInt8 {
    guard let place = neighbourhood(client).firstIndex(of: holder) else {
      preconditionFailure("client \(holder) holds no share of client \(client)")
    }
    return UInt8(place + 1)
  }
}
