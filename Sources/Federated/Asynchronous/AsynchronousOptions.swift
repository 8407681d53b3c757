import Configuration

/// The key `federated.asynchronous`: a server that does not wait for a cohort.  Clients train on the version of the model that was
/// current when they were asked, others are asked meanwhile, and every K updates that have come move the model once.
///
/// FedBuff (Nguyen, Malik, Zhan, Yousefpour, Rabbat, Malek, Huba, AISTATS 2022, algorithm 1), with ages τ of the versions that
/// clients trained on:
///
///     w ← w + 1/K Σ s(τ_k) Δ_k
///
/// where the server's half may make another step of the mean: `fedavgm` with β = 0 has the paper's η_g.  FedAsync (Xie, Koyejo,
/// Gupta 2019, algorithm 1) is a buffer of one that goes towards the client's model x_k = w_base + Δ_k:
///
///     w ← (1 − α s(τ)) w + α s(τ) x_k
///
/// An update weighs round(2¹⁶ · s(τ)), or round(2¹⁶ · α · s(τ)), so that sums are exact and nothing depends on who came first.
/// Deviation: updates older than ``mostStale`` are discarded.
public struct AsynchronousOptions: Sendable, Hashable {
  /// K: updates that move the model together.
  public let buffer: Int
  /// Clients that train at the same time.
  public let concurrency: Int
  /// s.
  public let staleness: Staleness
  /// The greatest age of an update that counts.
  public let mostStale: Int
  /// α, where the server goes towards clients' models; nil where it adds their changes.
  public let mixing: Double?

  /// An asynchronous server.
  public init(
    buffer: Int, concurrency: Int, staleness: Staleness = .polynomial(exponent: 0.5), mostStale: Int = 20,
    mixing: Double? = nil
  ) {
    precondition(buffer >= 1 && concurrency >= 1 && mostStale >= 0, "a server that waits for nobody")
    self.buffer = buffer
    self.concurrency = concurrency
    self.staleness = staleness
    self.mostStale = mostStale
    self.mixing = mixing
  }

  /// Reads the key; nil where it is absent or `none`.
  static func read(_ options: inout Options) throws(ConfigurationError) -> AsynchronousOptions? {
    let names = ["none", "fedbuff", "fedasync"]
    return try options.named(
      "asynchronous", of: names, default: options.has("asynchronous") ? names[1] : names[0],
      "rounds that wait for nobody: each is an update of the server by the first that have come, whatever version of the "
        + "model they trained on; fedbuff adds up changes, fedasync goes towards one client's model at a time"
    ) { (name, options) throws(ConfigurationError) in
      name == names[0] ? nil : try AsynchronousOptions(&options, mixes: name == names[2])
    }
  }

  private init(_ options: inout Options, mixes: Bool) throws(ConfigurationError) {
    let all = 1...1_000_000_000
    self.init(
      buffer: mixes
        ? 1
        : try options.integer(
          "buffer", default: 10, in: all, unit: "updates",
          "updates that move the model together, K: each of another client"),
      concurrency: try options.integer("concurrency", in: all, unit: "clients", "clients that train at the same time"),
      staleness: try Staleness.read(&options),
      mostStale: try options.integer(
        "most-stale", default: 20, in: 0...10_000, unit: "updates",
        "updates that the model may have had since an update's version; older ones are discarded.  Simulations, and servers "
          + "with fedasync, hold as many models"),
      mixing: mixes
        ? try options.number(
          "mixing", default: 0.6, in: .positiveFraction,
          "how far the model goes towards a client's that is not stale, α")
        : nil)
  }

  /// What an update weighs whose version is so many updates old.
  public func weight(age: Int) -> Int {
    Int((Double(Staleness.unit) * (mixing ?? 1) * staleness(age)).rounded(.toNearestOrEven))
  }

  /// What all updates of a buffer weigh at most: decides the fixed point of sums.
  public var totalWeight: Int { buffer * Staleness.unit }
}
