#if canImport(Glibc)
  import Glibc
#endif

extension RandomStream {
  /// A standard normal number (Box and Muller 1958), computed in Float64 and rounded once.
  public mutating func normal() -> Float { Float(normalDouble()) }

  /// A standard normal number in Float64.
  public mutating func normalDouble() -> Double {
    let radius = (-2 * log(1 - uniformDouble())).squareRoot()
    return radius * cos(2 * Double.pi * uniformDouble())
  }
}
