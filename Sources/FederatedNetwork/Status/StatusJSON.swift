/// `/status.json`: how a federation stands, for programs.
///
/// Keys are those of `FederationStatus` with underscores; bytes, seconds, and seconds since 1970 as there. `history` holds
/// columns of at most 2,000 rounds: `recorded` says how many rounds there were, `stride` that every so many is one of them.
/// `clients` are all of them, unless the address asks for some: `?state=training&from=100&count=50`.
enum StatusJSON {
  /// Which clients are listed.
  struct Selection {
    /// Only those in this state.
    var state: ClientStatus.State?
    /// The first to be listed, of those in the state, from 0.
    var from = 0
    /// The most that are listed.
    var count = Int.max
  }

  /// The text, at a time. Complexity: O(clients).
  static func text(of status: FederationStatus, at now: Double, _ selection: Selection) -> String {
    var json = JSONText()
    json.object { json in
      write(status, at: now, &json)
      json.key("history")
      json.object { write(status.history, &$0) }
      json.key("client_states")
      json.object { json in
        for (state, count) in status.clientCounts { json.member(state.rawValue, count) }
      }
      let matching = status.clients.filter { selection.state == nil || $0.state == selection.state }
      json.member("clients_total", status.clients.count)
      json.member("clients_matching", matching.count)
      json.key("clients")
      json.list { json in
        for client in matching.dropFirst(selection.from).prefix(selection.count) {
          json.object { write(client, &$0) }
        }
      }
    }
    return json.text + "\n"
  }

  private static func write(_ status: FederationStatus, at now: Double, _ json: inout JSONText) {
    json.member("name", status.name)
    json.member("strategy", status.strategy)
    json.member("state", status.state.rawValue)
    json.member("round", status.round)
    json.member("rounds", status.rounds)
    json.member("now", now)
    json.member("started", status.started)
    json.member("seconds", status.seconds(at: now))
    json.member("updates", status.updates)
    json.member("rejected", status.rejected)
    json.member("lost", status.lost)
    json.member("skipped", status.skipped)
    json.member("bytes_up", status.bytesUp)
    json.member("bytes_down", status.bytesDown)
    if let bytes = status.wireBytesIn { json.member("wire_bytes_in", bytes) }
    if let bytes = status.wireBytesOut { json.member("wire_bytes_out", bytes) }
    json.member("online", status.online)
    json.member("loss", status.history.loss)
    json.member("accuracy", status.history.accuracy)
    if let digest = status.digest { json.member("digest", digest) }
    if let cohort = status.cohort {
      json.key("cohort")
      json.object { json in
        json.member("needed", cohort.needed)
        json.member("arrived", cohort.arrived)
        json.member("deadline_seconds", cohort.deadline.map { max(0, $0 - now) })
      }
    }
    if let privacy = status.privacy {
      json.key("privacy")
      json.object { json in
        json.member("epsilon", privacy.epsilon)
        json.member("delta", privacy.delta)
      }
    }
  }

  private static func write(_ history: RoundHistory, _ json: inout JSONText) {
    let points = history.points
    json.member("recorded", history.recorded)
    json.member("stride", history.stride)
    json.column("round", points) { $1.value($0.round) }
    json.column("loss", points) { $1.value($0.loss) }
    json.column("accuracy", points) { $1.value($0.accuracy) }
    json.column("bytes_up", points) { $1.value($0.bytesUp) }
    json.column("bytes_down", points) { $1.value($0.bytesDown) }
  }

  private static func write(_ client: ClientStatus, _ json: inout JSONText) {
    json.member("number", client.number)
    json.member("name", client.name)
    json.member("address", client.address)
    json.member("state", client.state.rawValue)
    json.member("rounds", client.rounds)
    json.member("accepted", client.accepted)
    json.member("rejected", client.rejected)
    json.member("last_seen", client.lastSeen)
    json.member("bytes_up", client.bytesUp)
    json.member("bytes_down", client.bytesDown)
    json.member("remark", client.remark)
  }
}

extension JSONText {
  fileprivate mutating func member(_ name: String, _ string: String) {
    key(name)
    value(string)
  }

  fileprivate mutating func member(_ name: String, _ number: Int) {
    key(name)
    value(number)
  }

  fileprivate mutating func member(_ name: String, _ number: Double?) {
    key(name)
    value(number)
  }

  fileprivate mutating func column(
    _ name: String, _ points: [RoundHistory.Point], _ write: (RoundHistory.Point, inout JSONText) -> Void
  ) {
    key(name)
    list { json in
      for point in points { write(point, &json) }
    }
  }
}
