import Federated
import Foundation
import Training

/// Writes what happens to the run directory: `metrics.jsonl` and `log.txt`.
///
/// A failed write of a metric must not end the training it describes; it is said once, in the log.
public final class RunRecorder: TrainingObserver {
  private let metrics: MetricsLog
  private let log: RunLog
  private var hasFailed = false

  /// Writes to the files of a run.
  public init(metrics: MetricsLog, log: RunLog) {
    self.metrics = metrics
    self.log = log
  }

  /// A line of the log.
  public func began(_ start: TrainingStart) {
    log.write(
      "training \(start.model) (\(start.parameters) parameters) on \(start.data): batch \(start.batch), "
        + "\(start.shards) shards, \(start.ranks) ranks × \(start.threads) threads, steps \(start.firstStep + 1) to "
        + "\(start.totalSteps)")
  }

  /// A line of metrics.
  public func stepEnded(_ record: StepRecord) {
    var line = Metrics()
    line.step = record.step
    line.epoch = record.epoch
    line.loss = record.loss
    line.accuracy = record.accuracy
    line.learningRate = record.learningRate
    line.seconds = record.seconds
    line.bytesSent = record.bytesSent
    line.messagesSent = record.messagesSent
    line.wireBytes = record.wireBytes
    line.digest = record.digest
    write(line)
  }

  /// A line of the log.
  public func began(_ start: FederationStart) {
    log.write(
      "\(start.strategy): \(start.model) (\(start.parameters) parameters) on \(start.data), \(start.clients) clients, "
        + "\(start.cohort) a round, \(start.ranks) ranks × \(start.threads) threads, rounds \(start.firstRound + 1) to "
        + "\(start.rounds)")
  }

  /// A line of metrics.
  public func roundEnded(_ report: RoundReport) {
    let record = report.record
    var line = Metrics()
    line.round = record.round
    line.loss = record.loss
    line.learningRate = record.learningRate
    line.seconds = report.progress.seconds
    line.bytesUp = report.progress.bytesUp
    line.bytesDown = report.progress.bytesDown
    line.digest = report.digest
    line.others["clients"] = .integer(record.selected)
    line.others["updates"] = .integer(record.updates)
    if record.rejected > 0 { line.others["rejected"] = .integer(record.rejected) }
    if record.isSkipped { line.others["skipped"] = .flag(true) }
    if let refusal = record.refusal {
      line.others["refusal"] = .text(refusal)
      log.write("round \(record.round) takes no updates: \(refusal)")
    }
    if record.lost > 0 { line.others["lost"] = .integer(record.lost) }
    if record.empty > 0 { line.others["empty"] = .integer(record.empty) }
    if record.simulatedSeconds > 0 { line.others["simulated_seconds"] = .number(record.simulatedSeconds) }
    for (name, value) in record.others.sorted(by: { $0.key < $1.key }) { line.others[name] = .number(value) }
    write(line)
  }

  /// A line of metrics that says which set it is about, and a line of the log.
  public func evaluated(_ record: EvaluationRecord) {
    var line = Metrics()
    if let round = record.round {
      line.round = round
    } else {
      line.step = record.step
      line.epoch = record.epoch
    }
    line.loss = record.loss
    line.accuracy = record.accuracy
    line.seconds = record.seconds
    line.memoryBytes = ProcessMemory.current
    line.others["set"] = .text(record.set)
    if let clients = record.clients {
      line.others["clients"] = .integer(clients.clients)
      line.others["loss_worst_decile"] = .number(clients.worstLoss)
      line.others["accuracy_worst_decile"] = record.accuracy.map { _ in .number(clients.worstAccuracy) }
    }
    write(line)
    let accuracy = record.accuracy.map { ", accuracy \($0)" } ?? ""
    let moment = record.round.map { "round \($0)" } ?? "step \(record.step)"
    log.write("\(moment): \(record.set) loss \(record.loss)\(accuracy)")
  }

  /// A line of the log.
  public func saved(_ record: CheckpointRecord) {
    log.write(
      "\(record.isRound ? "round" : "step") \(record.step): checkpoint of \(Numerals.bytes(record.bytes)), on the disk after "
        + String(format: "%.3f s; training stood still for %.4f s", record.seconds, record.stalledSeconds))
  }

  /// A line of the log.
  public func noted(_ line: String) { log.write(line) }

  /// A line of the log.
  public func ended() { log.write("training ended") }

  private func write(_ line: Metrics) {
    do throws(RunError) { try metrics.write(line) } catch {
      if !hasFailed { log.write("metrics are not written: \(error.message)") }
      hasFailed = true
    }
  }
}
