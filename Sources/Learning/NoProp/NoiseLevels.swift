#if canImport(Glibc)
  import Glibc
#endif

/// How much of a label's embedding is left at each step, ᾱ_0 < … < ᾱ_T: z_t ~ N(√ᾱ_t u, 1 − ᾱ_t).
public struct NoiseLevels: Sendable {
  /// ᾱ_0 … ᾱ_T.
  public let shares: [Double]

  /// ᾱ_t = cos²(π/2 (1 − t/T)), within 0.001…0.999 (Nichol and Dhariwal 2021 without its offset).
  public init(cosine steps: Int) {
    shares = (0...steps).map { step in
      let root = cos(Double.pi / 2 * (1 - Double(step) / Double(steps)))
      return min(max(root * root, 0.001), 0.999)
    }
  }

  /// T.
  public var steps: Int { shares.count - 1 }

  /// √ᾱ_t and √(1 − ᾱ_t).
  public func factors(_ step: Int) -> (signal: Double, noise: Double) {
    (shares[step].squareRoot(), (1 - shares[step]).squareRoot())
  }

  /// What the loss of step t ≥ 1 weighs: T/2 · (SNR(t) − SNR(t − 1)), SNR = ᾱ / (1 − ᾱ); positive, because ᾱ rises.
  public func weight(_ step: Int) -> Double {
    func ratio(_ step: Int) -> Double { shares[step] / (1 - shares[step]) }
    return Double(steps) / 2 * (ratio(step) - ratio(step - 1))
  }
}
