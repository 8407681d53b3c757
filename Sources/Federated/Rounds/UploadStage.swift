/// Something that is done to every client's upload before it is summed: an attack, clipping, compression.  One a worker.
protocol UploadStage: AnyObject {
  /// Changes the upload of a visit, and what is recorded of it.
  func apply(_ visit: ClientVisit, _ record: inout VisitRecord)
}

/// Something that is done to what a cohort's uploads came to, before the server's half sees it: noise.  Every rank does the
/// same.
protocol OutcomeStage: AnyObject {
  /// What it remembers, for checkpoints.
  var memory: [ServerMemory] { get }
  /// Changes the outcome; `whole` clients were not clipped.
  func apply(_ outcome: RoundOutcome, whole: Int, _ record: inout RoundRecord) throws(FederatedError)
}
