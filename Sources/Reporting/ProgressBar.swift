import Federated
import Foundation
import Glibc
import Training

/// A bar on a terminal, or a line an evaluation elsewhere: rate, loss and time left, on standard error.
public final class ProgressBar: TrainingObserver {
  private let isTerminal: Bool
  private let hasColor: Bool
  private let columns: Int
  /// Steps or rounds of the whole run, and those that were made before it.
  private var total = 0
  private var first = 0
  private var lastDrawn = 0.0
  private var began = 0.0
  private var smoothedLoss: Double?
  private var isDrawn = false

  /// A bar for standard error as it is.
  public init() {
    isTerminal = isatty(STDERR_FILENO) == 1
    hasColor = isTerminal && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
    var size = winsize()
    columns = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 20 ? Int(size.ws_col) : 80
  }

  /// Says what is about to be trained.
  public func began(_ start: TrainingStart) {
    total = start.totalSteps
    first = start.firstStep
    began = ProcessInfo.processInfo.systemUptime
    let team =
      start.threads == 1
      ? "\(Numerals.plural(start.ranks, "rank"))" : "\(Numerals.plural(start.ranks, "rank")) × \(start.threads) threads"
    line("\(bold(start.name)): \(start.model), \(Numerals.grouped(start.parameters)) parameters")
    line("data: \(start.data), \(Numerals.grouped(start.samples)) training samples")
    line(
      "\(team), batch \(start.batch) in \(Numerals.plural(start.shards, "shard")), \(Numerals.grouped(start.totalSteps)) steps"
        + (start.firstStep > 0 ? ", continuing after step \(Numerals.grouped(start.firstStep))" : ""))
  }

  /// Says what is about to be trained.
  public func began(_ start: FederationStart) {
    total = start.rounds
    first = start.firstRound
    began = ProcessInfo.processInfo.systemUptime
    line("\(bold(start.name)): \(start.model), \(Numerals.grouped(start.parameters)) parameters, \(start.strategy)")
    line("data: \(start.data), \(Numerals.grouped(start.samples)) training samples")
    line(
      "\(Numerals.plural(start.clients, "client")), \(Numerals.grouped(start.cohort)) a round, "
        + "\(Numerals.plural(start.rounds, "round")); \(Numerals.plural(start.ranks, "rank")) × "
        + Numerals.plural(start.threads, "thread")
        + (first > 0 ? ", continuing after round \(Numerals.grouped(first))" : ""))
  }

  /// Draws the bar, ten times a second at most.
  public func stepEnded(_ record: StepRecord) {
    draw(record.step, loss: record.loss, rate: Double(record.samples) / max(record.seconds, 1e-9), of: "")
  }

  /// Draws the bar, ten times a second at most.
  public func roundEnded(_ report: RoundReport) {
    let progress = report.progress
    draw(
      report.record.round, loss: report.record.loss, rate: Double(progress.updates) / max(progress.seconds, 1e-9),
      of: " updates")
  }

  private func draw(_ step: Int, loss: Double?, rate: Double, of unit: String) {
    if let loss { smoothedLoss = smoothedLoss.map { 0.95 * $0 + 0.05 * loss } ?? loss }
    guard isTerminal else { return }
    let now = ProcessInfo.processInfo.systemUptime
    guard now - lastDrawn >= 0.1 || step == total else { return }
    lastDrawn = now
    let done = Double(step) / Double(max(1, total))
    let elapsed = now - began
    let perStep = elapsed / Double(max(1, step - first))
    let left = perStep * Double(total - step)
    let tail =
      String(format: " %3d%%  %@%@/s  loss %.4f", Int(done * 100), compact(rate), unit, smoothedLoss ?? 0)
      + "  \(duration(left)) left"
    let width = max(8, min(40, columns - tail.count - 1))
    let filled = Int(done * Double(width))
    let bar =
      String(repeating: "━", count: filled) + (hasColor ? "\u{1B}[2m" : "")
      + String(repeating: hasColor ? "━" : " ", count: width - filled) + (hasColor ? "\u{1B}[0m" : "")
    put("\r\u{1B}[K" + bar + tail)
    isDrawn = true
  }

  /// Writes a line for every evaluation.
  public func evaluated(_ record: EvaluationRecord) {
    let step = String(record.round ?? record.step)
    let padded = String(repeating: " ", count: max(0, String(total).count - step.count)) + step
    let moment = record.round == nil ? "step \(padded)  epoch \(record.epoch)" : "round \(padded)"
    let loss = String(format: "%.4f", record.loss)
    let accuracy = record.accuracy.map { String(format: ", accuracy %.4f", $0) } ?? ""
    line("\(moment)  \(record.set) loss \(loss)\(accuracy)\(worst(record))  \(duration(record.seconds))")
  }

  /// How the worst of several clients do.
  private func worst(_ record: EvaluationRecord) -> String {
    guard let clients = record.clients else { return "" }
    let worst = record.accuracy == nil ? clients.worstLoss : clients.worstAccuracy
    return String(format: " (worst tenth %.4f) over \(Numerals.plural(clients.clients, "client"))", worst)
  }

  /// Writes a line.
  public func noted(_ line: String) { self.line(line) }

  /// Leaves the terminal clean.
  public func ended() { clear() }

  private func clear() {
    if isDrawn { put("\r\u{1B}[K") }
    isDrawn = false
  }

  private func line(_ text: String) {
    clear()
    put(text + "\n")
  }

  /// A reader that went away, or a full disk behind standard error, ends no training: what cannot be written is left out.
  private func put(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
      if written < 0, errno != EINTR { return }
      rest = rest.dropFirst(max(0, written))
    }
  }

  private func bold(_ text: String) -> String { hasColor ? "\u{1B}[1m\(text)\u{1B}[0m" : text }

  private func compact(_ rate: Double) -> String {
    rate >= 10_000 ? String(format: "%.0fk", rate / 1000) : String(format: "%.0f", rate)
  }

  private func duration(_ seconds: Double) -> String {
    let whole = Int(seconds.rounded())
    if whole >= 3600 { return String(format: "%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60) }
    return String(format: "%d:%02d", whole / 60, whole % 60)
  }
}
