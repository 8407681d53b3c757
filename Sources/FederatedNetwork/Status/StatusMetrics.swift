/// `/metrics`: how a federation stands, in Prometheus's text exposition format 0.0.4.
///
/// Clients are counted by state, never listed: a series for each of thousands is more than a Prometheus wants.
enum StatusMetrics {
  /// What a client of Prometheus expects the text to call itself.
  static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  private enum Kind: String { case gauge, counter }

  /// The text, at a time. Complexity: O(clients).
  static func text(of status: FederationStatus, at now: Double) -> String {
    var page = Page()
    page.family(
      "info", .gauge, "Always 1; the labels say which federation it is.",
      [(["name": status.name, "strategy": status.strategy], 1)])
    page.family(
      "state", .gauge, "1 for the state that the server is in, 0 for the others.",
      FederationStatus.State.allCases.map { (["state": $0.rawValue], $0 == status.state ? 1 : 0) })
    page.value("round", .gauge, "Rounds that ended.", status.round)
    page.value("rounds", .gauge, "Rounds that there will be.", status.rounds)
    page.value("start_time_seconds", .gauge, "When the server started, in seconds since 1970.", status.started)
    page.value("running_seconds", .gauge, "Seconds that it has run.", status.seconds(at: now))
    page.value("updates_total", .counter, "Updates that were taken.", status.updates)
    page.value("updates_rejected_total", .counter, "Updates that were refused.", status.rejected)
    page.value("updates_lost_total", .counter, "Updates that never came.", status.lost)
    page.value("rounds_skipped_total", .counter, "Rounds that ended without a step.", status.skipped)
    page.value("payload_up_bytes_total", .counter, "Payload of updates.", status.bytesUp)
    page.value("payload_down_bytes_total", .counter, "Payload sent to clients.", status.bytesDown)
    page.value("wire_received_bytes_total", .counter, "What sockets received.", status.wireBytesIn)
    page.value("wire_sent_bytes_total", .counter, "What sockets sent.", status.wireBytesOut)
    page.value("cohort_needed", .gauge, "Updates that the running round needs.", status.cohort?.needed)
    page.value("cohort_arrived", .gauge, "Updates of the running round that were taken.", status.cohort?.arrived)
    page.value(
      "deadline_seconds", .gauge, "Seconds to the end of the running round at the latest.",
      status.cohort?.deadline.map { max(0, $0 - now) })
    page.value("privacy_epsilon", .gauge, "Epsilon spent.", status.privacy?.epsilon)
    page.value("privacy_delta", .gauge, "The delta at which epsilon holds.", status.privacy?.delta)
    page.value("accuracy", .gauge, "The last accuracy that was measured, 0 to 1.", status.history.accuracy)
    page.value("loss", .gauge, "The last loss that was measured.", status.history.loss)
    page.family(
      "clients", .gauge, "Clients by what they are doing.",
      status.clientCounts.map { (["state": $0.state.rawValue], Double($0.count)) })
    return page.text
  }

  private struct Page {
    var text = ""

    mutating func value(_ name: String, _ kind: Kind, _ help: String, _ number: Int?) {
      value(name, kind, help, number.map(Double.init))
    }

    /// A family of one sample; none where there is no value.
    mutating func value(_ name: String, _ kind: Kind, _ help: String, _ number: Double?) {
      if let number { family(name, kind, help, [([:], number)]) }
    }

    mutating func family(
      _ name: String, _ kind: Kind, _ help: String, _ samples: [(labels: KeyValuePairs<String, String>, value: Double)]
    ) {
      let full = "nndist_federation_" + name
      text += "# HELP \(full) \(help)\n# TYPE \(full) \(kind.rawValue)\n"
      for (labels, value) in samples {
        let inside = labels.map { "\($0)=\"\(escaped($1))\"" }.joined(separator: ",")
        text += full + (inside.isEmpty ? "" : "{\(inside)}") + " \(number(value))\n"
      }
    }

    private func escaped(_ label: String) -> String {
      var text = ""
      for scalar in label.unicodeScalars {
        switch scalar {
        case "\\": text += "\\\\"
        case "\"": text += "\\\""
        case "\n": text += "\\n"
        default: text.unicodeScalars.append(scalar)
        }
      }
      return text
    }

    private func number(_ value: Double) -> String {
      if value.isNaN { return "NaN" }
      if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
      return Int(exactly: value).map(String.init) ?? "\(value)"
    }
  }
}
