/// Float64 numbers about each block of parameters, which ranks that hold different blocks can exchange as they lie.
///
/// `@unchecked Sendable`: the pointer never changes, and whoever measures a range writes only the numbers of its blocks.
final class BlockNumbers: @unchecked Sendable {
  let all: UnsafeMutableBufferPointer<Double>

  /// Not-a-number everywhere, so that what was never measured cannot pass for a measurement.
  init(count: Int) {
    all = .allocate(capacity: count)
    all.initialize(repeating: .nan)
  }

  deinit { all.deallocate() }
}
