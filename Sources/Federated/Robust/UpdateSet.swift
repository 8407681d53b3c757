/// The updates of a round in client order, for rules that must see them together.
///
/// Every update was accepted by ``FixedPointScale/accepts(_:count:)``: finite, and at most 2⁸ in magnitude.
///
/// `@unchecked Sendable`: rules read the updates and nobody writes them meanwhile.
public struct UpdateSet: @unchecked Sendable {
  /// The first scalar of each update.
  public let updates: [UnsafePointer<Float>]
  /// Samples of each client.
  public let weights: [Int]
  /// Scalars of an update.
  public let count: Int

  /// Updates of `count` scalars each, at least one.
  public init(_ updates: [UnsafePointer<Float>], weights: [Int], count: Int) {
    precondition(
      !updates.isEmpty && updates.count == weights.count, "\(updates.count) updates, \(weights.count) weights")
    precondition(weights.allSatisfy { $0 >= 1 }, "an update of no samples")
    self.updates = updates
    self.weights = weights
    self.count = count
  }

  /// m: how many clients.
  public var clients: Int { updates.count }

  /// What each update weighs in an unweighted mean: the clients' own weight if that is the same for all, so that the mean has
  /// the bits of the weighted one; else 1.
  var commonWeight: Int { weights.allSatisfy { $0 == weights[0] } ? weights[0] : 1 }
}
