import Federated
import FederatedNetwork
import Training

/// Shows the rounds of a federation on its status page.
final class StatusObserver: TrainingObserver {
  private let board: StatusBoard
  private var latest: (round: Int, bytesUp: Int, bytesDown: Int)?

  init(_ board: StatusBoard) { self.board = board }

  func evaluated(_ record: EvaluationRecord) {
    guard record.set == "test", let round = record.round else { return }
    let latest = latest
    board.update { status in
      status.history.append(
        .init(
          round: round, loss: record.loss, accuracy: record.accuracy, bytesUp: latest?.bytesUp ?? 0,
          bytesDown: latest?.bytesDown ?? 0))
    }
  }

  func roundEnded(_ report: RoundReport) {
    let (record, progress) = (report.record, report.progress)
    board.update { status in
      status.state = .evaluating
      status.round = record.round
      (status.updates, status.rejected, status.lost) = (progress.updates, progress.rejected, progress.lost)
      (status.skipped, status.bytesUp, status.bytesDown) = (progress.skipped, progress.bytesUp, progress.bytesDown)
      if let epsilon = record.others["epsilon"], let delta = record.others["delta"] {
        status.privacy = .init(epsilon: epsilon, delta: delta)
      }
      if let digest = report.digest { status.digest = digest }
    }
    latest = (record.round, record.bytesUp, record.bytesDown)
  }
}
