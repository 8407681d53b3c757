import Datasets

extension ClientWorker {
  /// The upload of the last visit as it travels: as many bytes as the ledger counts.
  var packed: [SafetensorsWriter.Part] {
    guard let index = compressing, let stage = stages[index] as? CompressionStage else { return half.packed(visit) }
    return stage.packed(visit.upload)
  }

  /// The upload of a visit elsewhere ← what was packed there, and what the stages make of it behind those that a client has
  /// made.  Throws for what no client makes.
  func unpack(_ packed: SafetensorsView, samples: Int, _ server: any ServerHalf) throws(DataError) {
    guard let index = compressing, let stage = stages[index] as? CompressionStage else {
      return try server.unpack(packed, samples: samples, into: visit.upload)
    }
    try stage.unpack(packed, into: visit)
    var record = VisitRecord()
    for later in stages[(index + 1)...] { later.apply(visit, &record) }
  }

  /// The place of the stage that compresses.
  private var compressing: Int? { stages.firstIndex { $0 is CompressionStage } }
}
