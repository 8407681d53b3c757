// Rounds of an asynchronous server, each an update of its model.
extension FederatedEngine {
  /// Whose updates move the model next: as a run's ledger has them, or by simulated time.
  func selectUpdate(_ index: Int, _ options: AsynchronousOptions) throws(FederatedError) {
    guard let participation = setting.participation else {
      guard let update = schedule?.update(index) else { preconditionFailure("nobody says who takes part") }
      return cohort.set(update.visits, update: index, seconds: update.seconds, options)
    }
    guard let known = participation[index], let versions = known.versions else {
      throw FederatedError(
        .data,
        "federated.participation has no versions of update \(index + 1); name the clients.jsonl of an asynchronous run of as "
          + "many rounds")
    }
    let visits = known.clients.indices.map { place in
      BufferedVisit(
        client: known.clients[place], version: versions[place], isCounted: known.counted[place],
        samples: known.samples[place])
    }
    guard visits.allSatisfy({ !$0.isCounted || (0...options.mostStale ~= index - $0.version && $0.version >= 0) }),
      known.counted.count(where: { $0 }) <= options.buffer
    else {
      throw FederatedError(
        .data,
        "update \(index + 1) of federated.participation has versions that federated.asynchronous does not allow; take the "
          + "configuration of that run")
    }
    cohort.set(visits, update: index, seconds: 0, options)
  }

  /// Waits for clients elsewhere to fill a buffer.
  func fill(_ index: Int, _ options: AsynchronousOptions, by remote: any RemoteVisits) throws {
    let buffer = OpenBuffer(self, index, options)
    try remote.fill(buffer)
    let parts = buffer.parts
    cohort.set(parts.map(\.visit), update: index, seconds: 0, options)
    for (place, part) in parts.enumerated() { cohort.record(part.record, place) }
  }
}
