import Configuration

/// The federated strategies that a configuration can name, one line each.
public enum FederatedCatalog {
  /// All of them.
  public static let all: [any FederatedStrategy.Type] = [
    FedSGD.self,
    FedAvg.self,
    FedAvgM.self,
    FedProx.self,
    SCAFFOLD.self,
    FedNova.self,
    FedAdagrad.self,
    FedYogi.self,
    FedAdam.self,
    SignSGD.self,
    FedBN.self,
    FedPer.self,
    Ditto.self,
    FedProto.self,
    HideNseek.self,
    FedMask.self,
    LotteryFL.self,
    RobustAveraging<CoordinateMedian>.self,
    RobustAveraging<TrimmedMean>.self,
    RobustAveraging<Krum>.self,
    RobustAveraging<MultiKrum>.self,
    RobustAveraging<Bulyan>.self,
    RobustAveraging<GeometricMedian>.self,
    PrototypeAveraging.self,
  ]

  /// Reads the key `strategy` of the section `federated:`.
  static func read(_ options: inout Options) throws(ConfigurationError) -> any FederatedStrategy {
    try options.named(
      "strategy", of: all.map { $0.name }, default: FedAvg.name,
      "what clients do and upload, and what the server makes of it"
    ) { (name, options) throws(ConfigurationError) in
      guard let type = all.first(where: { $0.name == name }) else { preconditionFailure("\(name) was checked") }
      return try type.init(options: &options)
    }
  }
}
