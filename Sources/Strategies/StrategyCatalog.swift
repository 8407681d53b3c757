import Configuration

/// The strategies that a configuration can name, one line each.
public enum StrategyCatalog {
  /// All of them.
  public static let all: [any CommunicationStrategy.Type] = [
    AllReduce.self,
    Float16AllReduce.self,
    BFloat16AllReduce.self,
    TopKGradients.self,
    RandomKGradients.self,
    DeepGradientCompression.self,
    SignMajority.self,
    SignFeedback.self,
    QuantisedGradients.self,
    TernaryGradients.self,
    PowerSGD.self,
    Hierarchical.self,
    ZeRO.self,
    AdaptiveSum.self,
    OneBitAdam.self,
    LocalSGD.self,
    PostLocalSGD.self,
    DiLoCo.self,
    StreamingDiLoCo.self,
    Gossip.self,
    PushGossip.self,
  ]

  /// Reads the key `strategy:`.
  public static func read(_ options: inout Options) throws(ConfigurationError)
    -> @Sendable () -> any CommunicationStrategy
  {
    let names = all.map { $0.name }
    return try options.named("strategy", of: names, default: AllReduce.name, "how ranks exchange gradients") {
      (name, options) throws(ConfigurationError) in
      guard let type = all.first(where: { $0.name == name }) else { preconditionFailure("\(name) was checked") }
      _ = try type.init(options: &options)
      let resolved = options.resolved
      return {
        var options = Options(resolved)
        guard let strategy = try? type.init(options: &options) else {
          preconditionFailure("options of \(name) were checked")
        }
        return strategy
      }
    }
  }
}
