/// How a model, or each client's own, does on the samples of clients: every client counts as much as any other.
public struct ClientEvaluation: Sendable, Hashable {
  /// Clients that were judged.
  public let clients: Int
  /// Mean over clients of their mean losses.
  public let loss: Double
  /// The same over the tenth of clients, rounded up, whose losses are largest.
  public let worstLoss: Double
  /// Mean over clients of their shares of correct terms.
  public let accuracy: Double
  /// The same over the tenth of clients, rounded up, whose shares are smallest.
  public let worstAccuracy: Double

  /// What clients' mean losses and shares of correct terms, in client order, come to.
  public init(losses: [Double], accuracies: [Double]) {
    precondition(losses.count == accuracies.count && !losses.isEmpty, "\(losses.count) clients")
    let worst = (losses.count + 9) / 10
    // The order of magnitudes that also places what is not a number: among the largest losses.
    let sortedLosses = losses.sorted { $1.isTotallyOrdered(belowOrEqualTo: $0) }
    let sortedAccuracies = accuracies.sorted { $0.isTotallyOrdered(belowOrEqualTo: $1) }
    clients = losses.count
    loss = ClientEvaluation.mean(losses[...])
    worstLoss = ClientEvaluation.mean(sortedLosses[..<worst])
    accuracy = ClientEvaluation.mean(accuracies[...])
    worstAccuracy = ClientEvaluation.mean(sortedAccuracies[..<worst])
  }

  private static func mean(_ values: ArraySlice<Double>) -> Double { values.reduce(0, +) / Double(values.count) }
}
