/// A visit whose end fell into one update of an asynchronous server.
struct BufferedVisit: Sendable, Hashable {
  /// Who was visited.
  var client: Int32
  /// What it was sent: the model after so many updates.
  var version: Int
  /// Whether its update counts, if it can be summed.
  var isCounted: Bool
  /// Samples that it has.
  var samples: Int
}
