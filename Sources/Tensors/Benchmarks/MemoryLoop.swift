/// A loop over arrays to be timed: how fast a core reads and writes.
public final class MemoryLoop {
  /// What is done with each scalar.
  public enum Kind: String, CaseIterable, Sendable {
    /// y = x.
    case copy
    /// y = a x.
    case scale
    /// z = x + y.
    case add
    /// Σ x, in Float64.
    case sum

    /// Arrays that are read or written.
    public var arrays: Int {
      switch self {
      case .sum: 1
      case .copy, .scale: 2
      case .add: 3
      }
    }
  }

  /// What is done.
  public let kind: Kind
  /// Scalars of each array.
  public let count: Int
  private let storages: [Storage]
  /// The last sum, kept so that it is computed.
  public private(set) var result = 0.0

  /// Arrays of about `bytes` bytes in all.
  public init(_ kind: Kind, bytes: Int) {
    self.kind = kind
    let count = max(16, bytes / 4 / kind.arrays)
    self.count = count
    storages = (0..<kind.arrays).map { _ in Storage(zeros: count) }
  }

  /// Bytes that a pass reads and writes.
  public var bytes: Int { kind.arrays * count * 4 }

  /// One pass over the arrays.
  public func run() {
    switch kind {
    case .copy: storages[1].base.update(from: storages[0].base, count: count)
    case .scale: Elementwise.scale(storages[0].base, by: 0.5, into: storages[1].base, count)
    case .add: Elementwise.add(storages[0].base, storages[1].base, storages[2].base, count)
    case .sum: result = Reductions.sum(storages[0].base, count)
    }
  }
}
