/// Something that is done to every client's upload before it is summed: an attack, clipping, compression.  One a worker.
protocol UploadStage: AnyObject {
  /// Before the client of a visit trains.
  func prepare(_ visit: ClientVisit)
  /// Changes the upload of a visit, and what is recorded of it.
  func apply(_ visit: ClientVisit, _ record: inout VisitRecord)
}

extension UploadStage {
  /// Nothing to do.
  func prepare(_ visit: ClientVisit) {}
}

/// Something that is done to what a cohort's uploads came to, before the server's half sees it: noise.  Every rank does the
/// same.
protocol OutcomeStage: AnyObject {
  /// What it remembers, for checkpoints.
  var memory: [ServerMemory] { get }
  /// Before a round, counted from 0, is begun; throws where it may not be.
  func begin(round: Int) throws(FederatedError)
  /// Changes the outcome; `whole` clients were not clipped.
  func apply(_ outcome: RoundOutcome, whole: Int, _ record: inout RoundRecord, _ workers: Workers)
    throws(FederatedError)
}
