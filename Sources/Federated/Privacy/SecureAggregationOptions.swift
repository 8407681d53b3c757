import Configuration

/// The key `federated.secure-aggregation`: the server learns the sum of a round's uploads and no single one of them.
///
/// SecAgg (Bonawitz et al., CCS 2017) lets all clients of a cohort mask each other's uploads; SecAgg+ (Bell, Bonawitz, Gascón,
/// Lepoint, Raykova, CCS 2020) only those near each other on a shuffled ring.  Sums are the same integers with and without
/// masks: the option changes no bit of a result, but uploads are longer, which simulated links and ledgers count.  A round whose
/// cohort cannot be masked, as one of a single client, takes no updates (``refusal(cohort:)``), simulated or not.
public struct SecureAggregationOptions: Sendable, Hashable {
  /// Other clients that each one shares masks with, an even number; nil for all of the cohort.
  public let neighbours: Int?
  /// Clients of a neighbourhood that must be left at every stage; nil for two thirds of it.
  public let threshold: Int?

  /// Clients of the largest neighbourhood, each included: shares are points of GF(2⁸) other than 0.
  public static let largestNeighbourhood = 255

  /// SecAgg, or SecAgg+ where neighbours are given.
  public init(neighbours: Int? = nil, threshold: Int? = nil) {
    precondition(
      neighbours.map { $0 >= 2 && $0 % 2 == 0 && $0 < SecureAggregationOptions.largestNeighbourhood } ?? true,
      "neighbours on both sides")
    self.neighbours = neighbours
    self.threshold = threshold
  }

  /// Reads the key; nil where it is absent or `none`.
  static func read(_ options: inout Options) throws(ConfigurationError) -> SecureAggregationOptions? {
    let names = ["none", "secagg", "secagg+"]
    return try options.named(
      "secure-aggregation", of: names, default: names[0],
      "masks on uploads, so that the server learns only their sum: among all clients of a cohort, or among neighbours"
    ) { (name, options) throws(ConfigurationError) in
      if name == names[0] { return nil }
      var neighbours: Int?
      if name == names[2] {
        let number = try options.integer(
          "neighbours", in: 2...254, unit: "clients", "others that each client shares masks with, an even number")
        try options.require(
          number % 2 == 0, key: "neighbours",
          "\(options.keyPath).neighbours is \(number); a ring has as many on both sides: take an even number")
        neighbours = number
      }
      let threshold = try options.optionalInteger(
        "threshold", in: 2...largestNeighbourhood, unit: "clients",
        "clients of a neighbourhood, each included, that must be left at every stage; by default more than two thirds")
      return SecureAggregationOptions(neighbours: neighbours, threshold: threshold)
    }
  }

  /// Clients of a neighbourhood, each included, in a cohort.
  public func neighbourhood(cohort: Int) -> Int { min(cohort, neighbours.map { $0 + 1 } ?? cohort) }

  /// The threshold T of a cohort, whoever of it comes: as given, or ⌊2m/3⌋ + 1 of a neighbourhood of m.
  public func threshold(cohort: Int) -> Int { threshold ?? 2 * neighbourhood(cohort: cohort) / 3 + 1 }

  /// Why the uploads of a round's clients cannot be masked, so that it takes none; nil where they can.
  public func refusal(cohort: Int) -> String? {
    let (clients, largest) = (neighbourhood(cohort: cohort), SecureAggregationOptions.largestNeighbourhood)
    if cohort < max(2, threshold ?? 2) {
      return "a cohort of \(cohort) is too small to be masked, which takes \(max(2, threshold ?? 2)) clients"
    }
    if clients > largest { return "a cohort of \(cohort) is too large for secagg, which takes \(largest)" }
    let threshold = threshold(cohort: cohort)
    return 2 * threshold > clients
      ? nil : "a threshold of \(threshold) is not above half of \(clients) clients that mask each other"
  }

  /// Makes sure that a cohort of so many selected clients can be masked.  The threshold is above half of a neighbourhood, so
  /// that no two disjoint sets of clients can reveal both secrets of one.
  public func check(cohort: Int) throws(FederatedError) {
    let (key, clients) = ("federated.secure-aggregation", neighbourhood(cohort: cohort))
    guard cohort >= 2 else {
      throw FederatedError(
        .configuration, "\(key) hides uploads among others, and the cohort is \(cohort); take at least 2")
    }
    guard clients <= SecureAggregationOptions.largestNeighbourhood else {
      throw FederatedError(
        .configuration,
        "\(key) is secagg, which takes at most \(SecureAggregationOptions.largestNeighbourhood) clients of \(cohort); "
          + "take {name: secagg+, neighbours: …}")
    }
    let threshold = threshold(cohort: cohort)
    guard threshold <= clients && 2 * threshold > clients else {
      throw FederatedError(
        .configuration,
        "\(key).threshold is \(threshold) of neighbourhoods of \(clients) clients; take \(clients / 2 + 1) to \(clients)"
      )
    }
  }
}
