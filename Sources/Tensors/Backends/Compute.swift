/// With what a program computes.
public struct Compute: Hashable, Sendable {
  /// Who multiplies matrices and convolves.
  public enum Backend: String, CaseIterable, Sendable {
    case onednn, openblas
  }

  /// The library.
  public var backend: Backend

  /// oneDNN unless told otherwise.
  public init(backend: Backend = .onednn) { self.backend = backend }
}
