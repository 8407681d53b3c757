/// How many samples an episode of few-shot learning has, and in which order they lie in a batch.
///
/// Rows are the supports, class after class (row c · shots + i), then the queries, class after class (row ways · shots +
/// c · queries + i): both are matrices, and classes need no labels.
public struct EpisodeShape: Hashable, Sendable {
  /// Classes.
  public let ways: Int
  /// Samples of each class that make its prototype.
  public let shots: Int
  /// Samples of each class that are to be told.
  public let queries: Int

  /// At least one of each.
  public init(ways: Int, shots: Int, queries: Int) {
    precondition(ways >= 1 && shots >= 1 && queries >= 1, "\(ways) ways, \(shots) shots, \(queries) queries")
    self.ways = ways
    self.shots = shots
    self.queries = queries
  }

  /// Rows that make prototypes.
  public var supportRows: Int { ways * shots }
  /// Rows that are to be told.
  public var queryRows: Int { ways * queries }
  /// Samples of an episode.
  public var rows: Int { supportRows + queryRows }
  /// Samples of each class.
  public var samples: Int { shots + queries }
}
