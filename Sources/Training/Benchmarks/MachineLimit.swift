import Glibc
import Tensors

/// What one core can do at best, as measured: products and passes over memory.
public struct MachineLimit: Sendable {
  /// Floating-point operations a second of the fastest product.
  public var flopsPerSecond = 0.0
  /// Bytes a second that adding two arrays moves, by the size of the three; ascending.
  public var bandwidths: [(bytes: Int, bytesPerSecond: Double)] = []

  /// Times products of sizes that fit caches well for about `seconds`; the fastest counts.
  public static func products(_ compute: Compute, seconds: Double) -> Double {
    let sizes = [(256, 256, 256), (512, 512, 512), (1024, 384, 128)]
    return sizes.map { m, n, k in
      let loop = ProductLoop(m: m, n: n, k: k, compute)
      return Double(loop.flops) / LoopTimes(seconds: seconds / Double(sizes.count), loop.run).minimum
    }.max() ?? 0
  }

  /// Times passes over arrays of 32 KiB to 64 MiB.
  public static func memory() -> [(bytes: Int, bytesPerSecond: Double)] {
    stride(from: 15, through: 26, by: 1).map { exponent in
      let loop = MemoryLoop(.add, bytes: 1 << exponent)
      return (loop.bytes, Double(loop.bytes) / LoopTimes(seconds: 0.02, loop.run).minimum)
    }
  }

  /// The least seconds that so much work can take, and whether arithmetic or memory sets it.
  public func seconds(flops: Int, bytes: Int) -> (seconds: Double, isArithmetic: Bool) {
    let arithmetic = flopsPerSecond > 0 ? Double(flops) / flopsPerSecond : 0
    let bandwidth = bandwidths.last { $0.bytes <= bytes } ?? bandwidths.first
    let memory = bandwidth.map { Double(bytes) / $0.bytesPerSecond } ?? 0
    return arithmetic > memory ? (arithmetic, true) : (memory, false)
  }
}

/// Times of something that was done many times over.
public struct LoopTimes: Sendable {
  /// Seconds each, ascending.
  public let sorted: [Double]

  /// The fastest.
  public var minimum: Double { sorted[0] }
  /// The one in the middle.
  public var median: Double { sorted[sorted.count / 2] }

  /// Times that were taken; at least one.
  public init(_ times: [Double]) {
    precondition(!times.isEmpty, "no times")
    sorted = times.sorted()
  }

  /// Repeats `body` for about `seconds`, at least three times, after once to warm up.  What is too short for the clock is timed
  /// several times in a row.
  public init(seconds: Double, _ body: () -> Void) {
    body()
    var start = monotonicSeconds()
    body()
    let once = monotonicSeconds() - start
    let inner = max(1, min(100_000, Int(20e-6 / max(once, 1e-9))))
    var times: [Double] = []
    let end = monotonicSeconds() + seconds
    while times.count < 3 || (monotonicSeconds() < end && times.count < 1_000_000) {
      start = monotonicSeconds()
      for _ in 0..<inner { body() }
      times.append((monotonicSeconds() - start) / Double(inner))
    }
    self.init(times)
  }
}
