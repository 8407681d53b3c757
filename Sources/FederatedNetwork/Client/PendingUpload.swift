import Datasets
import Federated

/// What a visit came to, kept until the server says what becomes of it: it is sent again, never trained again.
struct PendingUpload {
  let round: Int
  let report: VisitReport
  /// What is uploaded; nil where the update cannot be summed.
  let image: SafetensorsImage?
  /// What the client remembers, should the update count.
  let memory: [Float]
}
