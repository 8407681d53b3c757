/// How many samples clients have.
public struct PartitionSizes: Sendable, Hashable, CustomStringConvertible {
  /// Of the client with fewest.
  public let minimum: Int
  /// Of the client in the middle; the lower of two.
  public let median: Int
  /// Of the client with most.
  public let maximum: Int
  /// Of all clients together.
  public let sum: Int
  /// Clients without samples.
  public let empty: Int

  /// Counts the samples of every client; work grows with the clients, unless they are drawn.
  public init(_ partition: Partition) {
    let different = partition.isDrawn ? 1 : partition.clients
    let sizes = (0..<different).map(partition.count).sorted()
    minimum = sizes[0]
    median = sizes[(sizes.count - 1) / 2]
    maximum = sizes[sizes.count - 1]
    sum = sizes.reduce(0, +) * (partition.clients / different)
    empty = sizes.prefix { $0 == 0 }.count
  }

  /// `fewest 3, median 120, most 512 samples`
  public var description: String { "fewest \(minimum), median \(median), most \(maximum) samples" }
}
