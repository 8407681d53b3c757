import Federated
import FederatedNetwork
import Training

/// Shows the rounds of a federation on its status page.
final class StatusObserver: TrainingObserver {
  private let board: StatusBoard
  /// The evaluation of a round, which is told before its end.
  private var latest: EvaluationRecord?

  init(_ board: StatusBoard) { self.board = board }

  func began(_ start: FederationStart) { board.update { $0.round = start.firstRound } }

  func evaluated(_ record: EvaluationRecord) {
    if record.set == "test" { latest = record }
  }

  func roundEnded(_ report: RoundReport) {
    let (record, progress) = (report.record, report.progress)
    let test = latest.flatMap { $0.round == record.round ? $0 : nil }
    board.update { status in
      status.state = .evaluating
      status.round = record.round
      status.history.append(
        .init(
          round: record.round, loss: test?.loss, accuracy: test?.accuracy, bytesUp: record.bytesUp,
          bytesDown: record.bytesDown))
      (status.updates, status.rejected, status.lost) = (progress.updates, progress.rejected, progress.lost)
      (status.skipped, status.bytesUp, status.bytesDown) = (progress.skipped, progress.bytesUp, progress.bytesDown)
      if let epsilon = record.others["epsilon"], let delta = record.others["delta"] {
        status.privacy = .init(epsilon: epsilon, delta: delta)
      }
      if let digest = report.digest { status.digest = digest }
    }
  }
}
