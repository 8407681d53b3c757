import Configuration
import Tensors

/// What an encoder is worth on classes it has not been trained on, as far as there are enough of them: accuracies by name.
///
/// Five classes by one and by five samples: means over 600 episodes of five queries a class.  One class at a time: 15 samples
/// and five queries a class, means over ten runs, with 100 classes and with all.
struct FewShotReport {
  /// In this order wherever they are stored.
  private static let names = [
    "accuracy_5_ways_1_shot", "accuracy_5_ways_5_shots", "accuracy_100_classes", "accuracy_all_classes",
  ]

  /// What there is, by name.
  let values: [(name: String, value: Double)]

  /// Measures; `classes` are the samples of each class, by their places among the embeddings.
  init(_ embeddings: Embeddings, _ classes: [[Int32]], seed: UInt64) {
    func sampler(_ ways: Int, _ shots: Int) -> EpisodeSampler? {
      guard ways > 0 else { return nil }
      return try? EpisodeSampler(classes, EpisodeShape(ways: ways, shots: shots, queries: 5), seed: seed, for: .test)
    }
    let episodes = [1, 5].map { shots in
      sampler(5, shots).map { PrototypeEvaluation.episodes($0, count: 600, embeddings).mean }
    }
    let curve = sampler(classes.filter { $0.count >= 20 }.count, 15).map {
      PrototypeEvaluation.incremental($0, runs: 10, embeddings).map(\.mean)
    }
    let all = episodes + [curve.flatMap { $0.count >= 100 ? $0[99] : nil }, curve?.last]
    values = zip(FewShotReport.names, all).compactMap { name, value in value.map { (name, $0) } }
  }

  /// Scalars of a block that holds a report: Float64 numbers, 0 for what is not there.
  static var blockCount: Int { 2 * names.count }

  /// What was written to a block.
  init(_ block: Storage) {
    values = zip(FewShotReport.names, FewShotReport.numbers(block)).filter { $0.1 > 0 }.map { ($0.0, $0.1) }
  }

  /// Writes to a block.
  func write(_ block: Storage) {
    for (place, name) in FewShotReport.names.enumerated() {
      FewShotReport.numbers(block)[place] = values.first { $0.name == name }?.value ?? 0
    }
  }

  private static func numbers(_ block: Storage) -> UnsafeMutableBufferPointer<Double> {
    UnsafeMutableBufferPointer(
      start: UnsafeMutableRawPointer(block.base).assumingMemoryBound(to: Double.self), count: block.count / 2)
  }
}
