import Compression

/// One of the vectors that a client uploads, and how those of a cohort are combined.
public struct UploadPart: Sendable, Hashable {
  /// What it is, which decides how it is combined.
  public enum Kind: Sendable, Hashable {
    /// Float32, the change of the shared scalars of the model: averaged exactly by weight.  Attacks, clipping, noise,
    /// compression and robust rules are about these.
    case change
    /// Float32, averaged exactly by weight like a change, and never touched.
    case numbers
    /// Bits, as ``SignBits`` has them: votes of ±1, counted.
    case votes
    /// Int64, summed; 8 bytes each.
    case integers
  }

  /// What it is called on the wire.
  public let name: String
  /// What it is.
  public let kind: Kind
  /// Scalars.
  public let count: Int
  /// Bytes that it takes on the wire.
  public let bytes: Int
  /// Whether a mean of numbers counts every client alike, whatever its update weighs.
  public let isUnweighted: Bool

  /// A vector; `bytes` where they are not those of its kind.
  public init(_ name: String, _ kind: Kind, count: Int, bytes: Int? = nil, isUnweighted: Bool = false) {
    precondition(!isUnweighted || kind == .numbers, "\(name) are no numbers")
    self.name = name
    self.kind = kind
    self.count = count
    self.isUnweighted = isUnweighted
    let own =
      switch kind {
      case .change, .numbers: 4 * count
      case .votes: SignBits.byteCount(count)
      case .integers: 8 * count
      }
    self.bytes = bytes ?? own
  }

  /// The change of so many shared scalars.
  public static func change(count: Int) -> UploadPart { UploadPart("change", .change, count: count) }
}
