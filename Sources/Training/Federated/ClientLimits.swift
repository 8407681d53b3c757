import Configuration
import Federated
import Layers

/// The section `client:` of a client's configuration: what it does for a server, at most.
public struct ClientLimits: Sendable, Hashable {
  /// Largest number of passes over its samples in a round.
  public let epochs: Int
  /// Largest memory, in bytes, that the task may need; nil for what the machine has.
  public let memory: Int?
  /// Whether changes may leave without a largest norm.
  public let allowsUnclipped: Bool
  /// The largest norm that changes may have; nil for any.
  public let clip: Double?
  /// Whether uploads may be seen one by one by the server.
  public let allowsUnmasked: Bool

  /// Reads the section.
  init(_ options: inout Options) throws(ConfigurationError) {
    epochs = try options.integer(
      "epochs", default: 1_000, in: 1...1_000_000, unit: "epochs",
      "passes over its samples that it makes in a round, at most")
    memory = try options.optionalInteger(
      "memory", in: 1...1 << 24, unit: "MiB", "memory that it gives to a task; without it what the machine has"
    ).map { $0 << 20 }
    allowsUnclipped = try options.flag(
      "unclipped", default: true, "whether its changes may leave without a largest norm (federated.privacy or clip)")
    clip = try options.optionalNumber(
      "clip", in: .positive,
      "largest norm of its changes: that of federated.privacy or clip may not be above it, nor any that follows clients"
    )
    allowsUnmasked = try options.flag(
      "unmasked", default: true, "whether the server may see its uploads by themselves (federated.secure-aggregation)")
  }

  /// Refuses a task that asks for more.
  public func check(_ federation: PreparedFederation) throws(RunError) {
    let options = federation.experiment.federated
    try require(
      options.local.epochs <= epochs,
      "it wants \(options.local.epochs) epochs a round, and client.epochs is \(epochs)")
    try require(
      allowsUnclipped || federation.setting.changeLimit != nil
        || federation.setting.privacy.map { $0.clip != .none } == true,
      "it has neither federated.privacy nor federated.clip, and client.unclipped is false")
    if let reason = refusal(norm: federation.setting.firstChangeLimit) { try require(false, reason) }
    try require(
      allowsUnmasked || federation.setting.masksUploads,
      "it has no federated.secure-aggregation, and client.unmasked is false")
    guard let memory else { return }
    let needed = try MemoryEstimate(federation, ranks: 1).bytes
    try require(
      needed <= memory, "it needs about \(needed >> 20) MiB of memory, and client.memory is \(memory >> 20) MiB")
  }

  /// Why an order goes beyond the limits; nil where it does not.
  public func refusal(of order: VisitOrder) -> String? {
    if order.epochs > epochs { return "it wants \(order.epochs) epochs, and client.epochs is \(epochs)" }
    return refusal(norm: order.changeLimit)
  }

  private func refusal(norm: Double?) -> String? {
    guard let clip else { return nil }
    guard let norm else { return "its changes may have any norm, and client.clip is \(clip)" }
    return norm <= clip ? nil : "its changes may have a norm of \(norm), and client.clip is \(clip)"
  }

  private func require(_ condition: Bool, _ reason: String) throws(RunError) {
    if !condition { throw RunError(.refused, "the server's task is refused: \(reason)") }
  }
}
