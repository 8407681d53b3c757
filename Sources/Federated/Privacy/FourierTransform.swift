import Glibc

/// The discrete Fourier transform of 2^k complex numbers in Float64, in place (Cooley and Tukey 1965).
///
/// Our own because accounting takes two transforms a query: a library would be a dependency of every build for them.
struct FourierTransform {
  /// Numbers, a power of two.
  let count: Int
  private let cosines: [Double]
  private let sines: [Double]

  init(count: Int) {
    precondition(count >= 2 && count & (count - 1) == 0, "a transform of \(count) numbers")
    self.count = count
    cosines = (0..<count / 2).map { cos(2 * Double.pi * Double($0) / Double(count)) }
    sines = (0..<count / 2).map { -sin(2 * Double.pi * Double($0) / Double(count)) }
  }

  /// X_k = Σ x_n e^(−2πi kn / N).  The inverse is the same with real and imaginary parts exchanged, times 1/N.
  func callAsFunction(_ real: inout [Double], _ imaginary: inout [Double]) {
    precondition(real.count == count && imaginary.count == count, "\(real.count) numbers for \(count)")
    let count = count
    real.withUnsafeMutableBufferPointer { real in
      imaginary.withUnsafeMutableBufferPointer { imaginary in
        reverse(real, imaginary)
        var half = 1
        while half < count {
          let stride = count / (2 * half)
          for start in Swift.stride(from: 0, to: count, by: 2 * half) {
            for k in 0..<half {
              let (c, s) = (cosines[k &* stride], sines[k &* stride])
              let (low, high) = (start &+ k, start &+ k &+ half)
              let x = real[high] * c - imaginary[high] * s
              let y = real[high] * s + imaginary[high] * c
              (real[high], imaginary[high]) = (real[low] - x, imaginary[low] - y)
              (real[low], imaginary[low]) = (real[low] + x, imaginary[low] + y)
            }
          }
          half *= 2
        }
      }
    }
  }

  /// Puts number i at the place whose binary digits are i's from the other end.
  private func reverse(_ real: UnsafeMutableBufferPointer<Double>, _ imaginary: UnsafeMutableBufferPointer<Double>) {
    var j = 0
    for i in 1..<count {
      var bit = count >> 1
      while j & bit != 0 {
        j ^= bit
        bit >>= 1
      }
      j |= bit
      if i < j {
        real.swapAt(i, j)
        imaginary.swapAt(i, j)
      }
    }
  }
}
