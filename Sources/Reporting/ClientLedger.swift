import Federated
import Training

/// Writes what became of a federation's clients to `clients.jsonl`: an object a round, with lists that have a place for each of
/// its clients, in the order of their numbers.
public final class ClientLedger: TrainingObserver {
  private let lines: MetricsLog
  private let log: RunLog
  private var hasFailed = false

  /// Writes to a file of a run; what cannot be written is said once, in its log.
  public init(_ lines: MetricsLog, _ log: RunLog) {
    self.lines = lines
    self.log = log
  }

  /// A line.
  public func roundEnded(_ report: RoundReport) {
    guard let clients = report.clients else { return }
    func list(_ number: (ClientRecord) -> Int) -> JSONValue { .list(clients.map { .integer(number($0)) }) }
    var line: JSONObject = [
      "round": .integer(report.record.round), "clients": list(\.client),
      "status": .list(clients.map { .text($0.status.rawValue) }), "samples": list(\.samples), "steps": list(\.steps),
      "bytes_up": list(\.bytesUp), "bytes_down": list(\.bytesDown),
    ]
    if clients.contains(where: { $0.version != nil }) { line["versions"] = list { $0.version ?? 0 } }
    do throws(RunError) { try lines.write(line) } catch {
      if !hasFailed { log.write("the ledger of clients is not written: \(error.message)") }
      hasFailed = true
    }
  }
}
