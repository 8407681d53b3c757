import Foundation
import Testing

/// What may be killed when; the seed makes the choice, the machine's own pace the moment.
@Suite(
  "50 runs whose ranks are killed at any moment end with the undisturbed digest",
  .enabled(if: ProcessInfo.processInfo.environment["NNDIST_FULL_TESTS"] != nil), .serialized)
struct LaunchSoakTests {
  /// When to kill.
  private enum Moment {
    /// Soon after the ranks are there: while they find each other, read data, open the run.
    case starting(milliseconds: Int)
    /// Once this step is made, and a little later: between operations or in a collective.
    case step(Int, microseconds: Int)
    /// While a checkpoint is written.
    case saving(after: Int)
  }

  static let steps = 1200
  /// Kills come before this step, so that none is too late.
  private static let lastMoment = 900

  @Test("SIGKILL of a random rank", arguments: 1...50)
  func soak(_ seed: UInt64) throws {
    // A run can end before the moment that was chosen; then it counts for nothing, and another one is made.
    for _ in 0..<5 where try disturb(seed) { return }
    Issue.record("seed \(seed): nobody was killed in any of five runs")
  }

  /// One run, which must end with the undisturbed digest; whether a rank was killed in time.
  private func disturb(_ seed: UInt64) throws -> Bool {
    let run = try LaunchedRun(
      LaunchedRun.configuration.replacingOccurrences(of: "steps: 3000", with: "steps: \(Self.steps)")
        .replacingOccurrences(of: "every: 50", with: "every: 10"))
    var random = SplitMix(state: seed)
    let ranks = Int.random(in: 2...4, using: &random)
    let minimum = Bool.random(using: &random) ? ranks : Int.random(in: 1..<ranks, using: &random)
    let command = try run.start(
      ["-n", "\(ranks)", "--min-ranks", "\(minimum)", "--backoff", "0", "--restarts", "20"], ["--json"])
    var story: [String] = []
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let moment = moment(&random)
      let victim = Int.random(in: 0..<4, using: &random)
      guard command.wait(until: { reached(moment, run, command) }) else { break }
      let present = command.ranks
      guard !present.isEmpty else { continue }
      kill(present[victim % present.count], SIGKILL)
      story.append("\(moment): rank \(victim % present.count) of \(present.count) at step \(run.step)")
    }
    let result = command.result()
    #expect(result.status == 0, "seed \(seed), \(story): \(result.errors)")
    #expect(result.digest == (try run.undisturbed()), "seed \(seed), \(story): \(result.errors)")
    #expect(result.json["steps"] as? Int == Self.steps)
    return result.json["attempts"] as? Int ?? 0 > 1
  }

  private func moment(_ random: inout SplitMix) -> Moment {
    switch Int.random(in: 0..<4, using: &random) {
    case 0: .starting(milliseconds: Int.random(in: 0...800, using: &random))
    case 1: .saving(after: Int.random(in: 0..<Self.steps / 2, using: &random))
    default:
      .step(Int.random(in: 1..<Self.lastMoment, using: &random), microseconds: Int.random(in: 0...5000, using: &random))
    }
  }

  private func reached(_ moment: Moment, _ run: LaunchedRun, _ command: RunningCommand) -> Bool {
    switch moment {
    case .starting(let milliseconds):
      guard !command.ranks.isEmpty else { return false }
      usleep(UInt32(milliseconds) * 1000)
      return true
    case .step(let step, let microseconds):
      guard run.step >= step else { return false }
      usleep(UInt32(microseconds))
      return true
    case .saving(let step):
      guard run.step >= step else { return false }
      // Looks without a pause for a while: a small checkpoint is written within a millisecond or two.
      for _ in 0..<200 where !run.isSaving {}
      return run.isSaving || run.step >= Self.lastMoment
    }
  }
}

/// Steele, Lea and Flood 2014.
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var bits = state
    bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
    return bits ^ (bits >> 31)
  }
}
