import Communication
import Strategies
import Tensors

// What the ledger of digests asks of the loop.
extension TrainingLoop {
  /// Where the digest is due after a step: makes sure that all ranks hold the same parameters, and gives their SHA-256 to
  /// whoever follows the run.  Collective.
  func ledgerDigest(isLast: Bool) throws -> String? {
    guard let interval = prepared.experiment.training.digest, isLast || isDue(interval) else { return nil }
    try requireSameParameters()
    return observers.isEmpty ? nil : Digest.parameters(store)
  }

  /// Brings the model up to date, and throws on all ranks unless they hold the same; once a step.  Collective.
  ///
  /// Also compared is what a strategy remembers on every rank: replicas' mean is the same on all, whatever global model one of
  /// them moves by.  The update rule's memory shows in the parameters a step later.
  func requireSameParameters() throws {
    try trainer.refresh()
    guard agreedStep != progress.step else { return }
    let shared = trainer.memory.filter { $0.owner == .everyone }.map(\.storage)
    try ParameterAgreement.require(store, then: shared, step: progress.step, communicator)
    agreedStep = progress.step
  }

  /// Makes steps again up to `last`, without evaluation and without keeping anything, and tells the digest of the parameters
  /// at the steps asked for, the present one included; ends where `confirm` returns false.  Collective.
  func replay(to last: Int, at steps: Set<Int>, _ confirm: (_ step: Int, _ digest: String) -> Bool) throws(RunError) {
    do {
      try synchroniseParameters()
      try trainer.shards.begin(at: progress.step)
      var start = start
      start.totalSteps = last
      observe { $0.began(start) }
      defer { observe { $0.ended() } }
      while true {
        if steps.contains(progress.step) {
          try trainer.refresh()
          guard confirm(progress.step, Digest.parameters(store)) else { return }
        }
        guard progress.step < last else { return }
        var record = try step()
        record.totalSteps = last
        observe { $0.stepEnded(record) }
      }
    } catch { throw RunError(error) }
  }
}
