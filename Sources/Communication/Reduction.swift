/// How values of several ranks become one.
///
/// Every implementation folds element by element in rank order, ((x₀ ∘ x₁) ∘ x₂) ∘ …, so the bits of a result depend
/// neither on the transport nor on who computed it. BFloat16 is folded in Float and rounded each time.
public enum Reduction: UInt8, Sendable, CaseIterable {
  /// Addition; integers wrap around.
  case sum
  /// The smaller value; a NaN on any rank is the result.
  case minimum
  /// The larger value; a NaN on any rank is the result.
  case maximum

  /// The name used in messages.
  public var name: String {
    switch self {
    case .sum: "sum"
    case .minimum: "minimum"
    case .maximum: "maximum"
    }
  }
}

extension Reduction {
  /// Sets `accumulator[i]` to `accumulator[i] ∘ values[i]`, or with `valuesFirst` to `values[i] ∘ accumulator[i]`,
  /// for `count` elements of `type`. The two blocks must not overlap.
  package func fold(
    _ values: UnsafeRawPointer, into accumulator: UnsafeMutableRawPointer, count: Int, type: ElementType,
    valuesFirst: Bool = false
  ) {
    if count == 0 { return }
    switch type {
    case .float: fold(Float.self, values, accumulator, count, valuesFirst)
    case .double: fold(Double.self, values, accumulator, count, valuesFirst)
    case .uint8: fold(UInt8.self, values, accumulator, count, valuesFirst)
    case .int8: fold(Int8.self, values, accumulator, count, valuesFirst)
    case .int16: fold(Int16.self, values, accumulator, count, valuesFirst)
    case .int32: fold(Int32.self, values, accumulator, count, valuesFirst)
    case .int64: fold(Int64.self, values, accumulator, count, valuesFirst)
    case .bfloat16: fold(BFloat16.self, values, accumulator, count, valuesFirst)
    }
  }

  @inline(__always)
  private func fold<Scalar: Foldable>(
    _ scalar: Scalar.Type, _ values: UnsafeRawPointer, _ accumulator: UnsafeMutableRawPointer, _ count: Int,
    _ valuesFirst: Bool
  ) {
    let x = values.assumingMemoryBound(to: Scalar.self)
    let y = accumulator.assumingMemoryBound(to: Scalar.self)
    var i = 0
    switch (self, valuesFirst) {
    case (.sum, _):  // addition commutes to the bit
      while i < count {
        y[i] = Scalar.sum(y[i], x[i])
        i &+= 1
      }
    case (.minimum, false):
      while i < count {
        y[i] = Scalar.lesser(y[i], x[i])
        i &+= 1
      }
    case (.minimum, true):
      while i < count {
        y[i] = Scalar.lesser(x[i], y[i])
        i &+= 1
      }
    case (.maximum, false):
      while i < count {
        y[i] = Scalar.greater(y[i], x[i])
        i &+= 1
      }
    case (.maximum, true):
      while i < count {
        y[i] = Scalar.greater(x[i], y[i])
        i &+= 1
      }
    }
  }
}

/// The three operations, written so that the loops above vectorise for each concrete type.
private protocol Foldable: BitwiseCopyable {
  static func sum(_ a: Self, _ b: Self) -> Self
  static func lesser(_ a: Self, _ b: Self) -> Self
  static func greater(_ a: Self, _ b: Self) -> Self
}

extension Foldable where Self: Comparable {
  // `a != a` holds for NaN alone. Of equal values (−0 and +0) the second is taken, hence the care for the order above.
  @inline(__always) fileprivate static func lesser(_ a: Self, _ b: Self) -> Self { a < b || a != a ? a : b }
  @inline(__always) fileprivate static func greater(_ a: Self, _ b: Self) -> Self { a > b || a != a ? a : b }
}

extension Foldable where Self: FixedWidthInteger {
  @inline(__always) fileprivate static func sum(_ a: Self, _ b: Self) -> Self { a &+ b }
}

extension Foldable where Self: BinaryFloatingPoint {
  @inline(__always) fileprivate static func sum(_ a: Self, _ b: Self) -> Self { a + b }
}

extension Float: Foldable {}
extension Double: Foldable {}
extension UInt8: Foldable {}
extension Int8: Foldable {}
extension Int16: Foldable {}
extension Int32: Foldable {}
extension Int64: Foldable {}

extension BFloat16: Foldable {
  @inline(__always) fileprivate static func sum(_ a: BFloat16, _ b: BFloat16) -> BFloat16 {
    BFloat16(a.float + b.float)
  }
  @inline(__always) fileprivate static func lesser(_ a: BFloat16, _ b: BFloat16) -> BFloat16 {
    a.float < b.float || a.float != a.float ? a : b
  }
  @inline(__always) fileprivate static func greater(_ a: BFloat16, _ b: BFloat16) -> BFloat16 {
    a.float > b.float || a.float != a.float ? a : b
  }
}
