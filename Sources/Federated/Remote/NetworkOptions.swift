import Configuration

/// The section `federated.network`: how rounds go where clients are elsewhere.  Simulations pass over it.
public struct NetworkOptions: Sendable, Hashable {
  /// Seconds after which a round takes no more updates; nil waits for all.
  public var deadline: Double?
  /// Fewest updates that a round is concluded with, once its deadline has passed.
  public var minimum: Int
  /// Clients asked for each that is wanted; the first to be back count.
  public var overSelection: Double
  /// Largest number of samples that a client may say it has; nil where the partition says how many.
  public var largestClient: Int?

  /// Waits for everyone who is asked.
  public init(
    deadline: Double? = nil, minimum: Int = 1, overSelection: Double = 1, largestClient: Int? = nil
  ) {
    self.deadline = deadline
    self.minimum = minimum
    self.overSelection = overSelection
    self.largestClient = largestClient
  }

  /// Reads the section.
  init(_ options: inout Options) throws(ConfigurationError) {
    deadline = try options.optionalNumber(
      "deadline", in: .positive, unit: "seconds",
      "after which a round goes on without those who are not back; without it a server waits for all")
    minimum = try options.integer(
      "minimum", default: 1, in: 1...1_000_000_000, unit: "clients",
      "fewest updates of a round at its deadline; with fewer it is skipped and the model stays")
    overSelection = try options.number(
      "over-selection", default: 1, in: .between(1, 1_000),
      "clients asked for each of the cohort; the first to be back count")
    largestClient = try options.optionalInteger(
      "largest-client", in: 1...1 << 40, unit: "samples",
      "lets clients bring data of their own and say how many samples they have, up to this; without it client K has what "
        + "partition K has")
  }
}
