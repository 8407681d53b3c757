import Configuration
import Tensors

/// The key `federated.attack`: what some of the clients do in place of what they should.
public struct AttackOptions: Sendable, Hashable {
  /// What attackers do.
  public enum Kind: Sendable, Hashable {
    /// They add noise to their change.
    case gaussian(deviation: Double)
    /// They send the negative of their change, times a scale.
    case signFlip(scale: Double)
    /// They train on labels in reverse order.
    case labelFlip
    /// They send the honest clients' mean less z deviations; nil for the z of the paper.
    case littleIsEnough(z: Double?, power: Double)
    /// They send what is not a number.
    case notFinite
  }

  /// Who they are.
  public enum Members: Sendable, Hashable {
    /// So large a share of all clients, drawn by key.
    case share(Double)
    /// These.
    case clients([Int])
  }

  /// What they do.
  public let kind: Kind
  /// Who they are.
  public let members: Members

  /// Attackers.
  public init(_ kind: Kind, _ members: Members) {
    self.kind = kind
    self.members = members
  }

  /// Whether it is done to changes, of which the strategy must have one.
  var needsChange: Bool { kind != .labelFlip }

  /// Whether attackers look at the changes of all others.
  var seesAll: Bool { if case .littleIsEnough = kind { true } else { false } }

  /// Reads the key; nil where nobody attacks.
  static func read(_ options: inout Options) throws(ConfigurationError) -> AttackOptions? {
    let names = ["none", "gaussian", "sign-flip", "label-flip", "little-is-enough", "not-finite"]
    return try options.named(
      "attack", of: names, default: "none", "what attackers among the clients do, for experiments"
    ) {
      (name, options) throws(ConfigurationError) in
      if name == "none" { return nil }
      let members = try members(&options)
      return AttackOptions(try kind(name, &options), members)
    }
  }

  private static func members(_ options: inout Options) throws(ConfigurationError) -> Members {
    let clients = try options.integers("clients", default: [], in: 0...Int(Int32.max), "who attacks, by number")
    if !clients.isEmpty {
      try options.require(
        !options.has("share"), key: "share", "\(options.keyPath) has both clients and share; take one of them")
      return .clients(clients)
    }
    return .share(
      try options.number("share", default: 0.2, in: .fraction, "share of all clients that attack, drawn by the seed"))
  }

  private static func kind(_ name: String, _ options: inout Options) throws(ConfigurationError) -> Kind {
    switch name {
    case "gaussian":
      return .gaussian(
        deviation: try options.number(
          "deviation", default: 1, in: .positive, "deviation of the noise that is added to every scalar"))
    case "sign-flip":
      return .signFlip(
        scale: try options.number("scale", default: 1, in: .positive, "what the negative change is multiplied by"))
    case "label-flip": return .labelFlip
    case "little-is-enough":
      let z = try options.optionalNumber(
        "z", in: .nonNegative, "deviations from the honest mean; by default what the majority still covers")
      let power = try options.number(
        "power", default: 1, in: .positiveFraction, "power of the deviation; Flower's baselines have its root, 0.5")
      return .littleIsEnough(z: z, power: power)
    default: return .notFinite
    }
  }
}

/// Who attacks.
struct Attackers: Sendable {
  private let numbers: Set<Int32>

  /// A share is rounded down to whole clients, every set of them equally likely (Knuth's algorithm S).  Throws where a client
  /// does not exist.
  init(_ members: AttackOptions.Members, clients: Int, seed: UInt64) throws(FederatedError) {
    var numbers: Set<Int32> = []
    switch members {
    case .clients(let given):
      if let outside = given.first(where: { $0 >= clients }) {
        throw FederatedError(
          .configuration, "federated.attack.clients names client \(outside), but the \(clients) are numbered from 0")
      }
      for client in given { numbers.insert(Int32(client)) }
    case .share(let share):
      // A share such as 0.29 of 100 is 29 although its product is rounded below.
      var missing = Int(share * Double(clients) + 1e-9)
      numbers.reserveCapacity(missing)
      var stream = RandomStream(seed: seed, .selection, layer: SelectionStream.attackers)
      for client in 0..<clients where stream.below(clients - client) < missing {
        numbers.insert(Int32(client))
        missing -= 1
      }
    }
    self.numbers = numbers
  }

  func contains(_ client: Int) -> Bool { numbers.contains(Int32(client)) }
}
