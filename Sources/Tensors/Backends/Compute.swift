/// With what a program computes.
public struct Compute: Hashable, Sendable {
  /// Who multiplies matrices and convolves.
  public enum Backend: String, CaseIterable, Sendable {
    case onednn, openblas
  }

  /// What the factors of products are rounded to.  Weights, sums, and everything that is not a product are Float32.
  public enum Precision: String, CaseIterable, Sendable {
    case float32, bfloat16
  }

  /// The library.
  public var backend: Backend
  /// What convolutions and linear layers read.
  public var precision: Precision
  /// Whether the gradient makes what layers worked out again instead of keeping it: less memory, more time, the same bits.
  public var recomputes: Bool

  /// oneDNN, Float32 and everything kept unless told otherwise.
  public init(backend: Backend = .onednn, precision: Precision = .float32, recomputes: Bool = false) {
    self.backend = backend
    self.precision = precision
    self.recomputes = recomputes
  }

  /// Whether libraries and processor can do what it asks for.
  public func check() throws(LibraryError) {
    if backend == .openblas { _ = try OpenBLAS.loaded.get() }
    guard precision == .bfloat16 else { return }
    if backend == .openblas {
      throw LibraryError(message: "OpenBLAS does not multiply bfloat16 here; use compute.backend: onednn, or float32")
    }
    if !OneDNN.multipliesBFloat16 {
      throw LibraryError(
        message: "bfloat16 needs a processor with AVX512_BF16, and oneDNN uses \(OneDNN.instructionSet) here; "
          + "use compute.precision: float32")
    }
  }
}
