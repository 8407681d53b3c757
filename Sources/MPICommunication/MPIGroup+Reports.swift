import Communication
import Glibc

// How ranks that wait find out that their calls contradict each other.
extension MPIGroup {
  /// Tells all others what this rank waits for.
  func report(_ flight: Flight) throws(CommunicationError) {
    if flight.isReported { return }
    flight.isReported = true
    let number = flight.number
    try board.post(
      Report(
        number: number, fingerprints: history.fingerprints(to: number),
        clause: number == 0 ? "waited in \(flight.described)" : "called \(flight.described)"))
  }

  /// Tells those who wait for a call that this rank has not made what it waits for instead.
  func answer(_ hold: Hold) throws(CommunicationError) {
    if hold.group == identity.value || hold.key == answered { return }
    let asked = board.heard.reduce(0) { max($0, $1?.number ?? 0) }
    if asked <= history.number { return }
    answered = hold.key
    let obstacle = Report.Obstacle(
      group: hold.group, number: hold.number, sources: hold.sources, called: history.number)
    try board.post(Report(number: 0, obstacle: obstacle, clause: "waited in \(hold.words)"))
  }

  /// Whether a rank whose message this collective needs waits in another group for this rank. Neither can go on: it has not
  /// called this collective, nor this rank that one, and both are waiting. `calls` says how many this rank has made in the
  /// group of a hold, and which rank it is there.
  func isDeadlocked(_ flight: Flight, _ calls: (UInt64) -> (number: Int, rank: Int)?) -> Bool {
    flight.number > 0
      && flight.sources.contains { source in
        guard let obstacle = board.heard[source]?.obstacle, obstacle.called < flight.number,
          let own = calls(obstacle.group)
        else { return false }
        return own.number < obstacle.number && obstacle.sources.contains(own.rank)
      }
  }

  /// The first collective in which ranks are known to contradict each other.
  var contradiction: Int? {
    var first: Int?
    for case let report? in board.heard {
      var number =
        report.isAlarm ? report.number : history.firstDifference(from: report.fingerprints, to: report.number)
      if let known = first { number = min(known, number ?? known) }
      first = number
    }
    return first
  }

  /// The error that names every rank's n-th call: tells the others, and waits a moment for theirs.
  func disagreement(at number: Int, _ hold: Hold?) throws(CommunicationError) -> CommunicationError {
    let own = history.call(number)
    let clause =
      own.map { "called \($0.described(ranks: size))" } ?? hold.map { "waited in \($0.words)" } ?? MPIGroup.idle
    try board.post(
      Report(
        number: number, isAlarm: true, fingerprints: history.fingerprints(to: number), clause: clause))
    let end = monotonicNanoseconds() + MPIGroup.grace
    repeat {
      sched_yield()
      try board.collect()
    } while !others.allSatisfy({ board.heard[$0]?.number == number }) && monotonicNanoseconds() < end
    let clauses = (0..<size).map { "rank \($0) \($0 == rank ? clause : self.clause(of: $0, at: number))" }
    return CommunicationError(.mismatch, "ranks disagree: " + clauses.joined(separator: ", "))
  }

  /// The error of a rank whose patience ended: who is missing, and what the others do.
  func timeout(_ flight: Flight, _ patience: Patience) -> CommunicationError {
    let number = flight.number
    let unheard = others.filter { number > 0 && board.heard[$0]?.number ?? 0 < number }
    let missing = unheard.isEmpty ? flight.awaited : unheard
    let names = (missing.count == 1 ? "rank " : "ranks ") + missing.map(String.init).joined(separator: ", ")
    let known = others.filter { board.heard[$0] != nil }.map { "; rank \($0) \(clause(of: $0, at: number))" }
    return CommunicationError(
      .timeout,
      "rank \(rank) waited \(patience.described) for \(names) in \(flight.described)\(known.joined()); "
        + "\(Patience.variable) sets the limit")
  }

  private var others: [Int] { (0..<size).filter { $0 != rank } }

  private func clause(of other: Int, at number: Int) -> String {
    guard let report = board.heard[other] else { return MPIGroup.idle }
    if report.number == number || report.number == 0 { return report.clause }
    return report.number < number ? MPIGroup.idle : "went on and \(report.clause)"
  }

  private static let idle = "has not called anything yet"
  /// Nanoseconds that an error waits for reports: longer than ranks wait before they report.
  private static let grace: UInt64 = 1_250_000_000
}
