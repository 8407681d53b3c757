/// A way to run pieces of work at once; what is cut into pieces never depends on them for its bits.
public struct Workers: Sendable {
  /// Pieces that can run at once, at least 1.
  public let count: Int
  private let runAll: @Sendable (_ body: @Sendable (Int) -> Void) -> Void

  /// `run` calls its body once with each of 0..<count, in any order and on any threads, and returns when all are done.
  public init(count: Int, run: @escaping @Sendable (_ body: @Sendable (Int) -> Void) -> Void) {
    precondition(count >= 1, "\(count) workers")
    self.count = count
    runAll = run
  }

  /// The calling thread alone.
  public static let one = Workers(count: 1) { body in body(0) }

  /// Calls `body` with each worker's number.
  func run(_ body: @Sendable (Int) -> Void) { runAll(body) }

  /// Worker `worker`'s part of 0..<count, cut at multiples of `grain`.
  func part(_ worker: Int, of count: Int, grain: Int) -> Range<Int> {
    let grains = (count + grain - 1) / grain
    return min(count, grains * worker / self.count * grain)..<min(count, grains * (worker + 1) / self.count * grain)
  }
}
