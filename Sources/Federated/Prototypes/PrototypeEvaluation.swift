import Tensors

/// How well prototypes tell classes that the encoder has not been trained on.
public enum PrototypeEvaluation {
  /// A mean over independent runs.
  public struct Estimate: Sendable, Hashable {
    /// The mean.
    public let mean: Double
    /// Half of the interval that holds the true mean in 95 of 100 cases: 1.96 standard errors; 0 for a single run.
    public let interval: Double

    init(_ values: [Double]) {
      let (count, mean) = (Double(values.count), values.reduce(0, +) / Double(max(1, values.count)))
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / max(1, count - 1)
      self.mean = mean
      interval = count > 1 ? 1.96 * (variance / count).squareRoot() : 0
    }
  }

  /// Accuracy over so many episodes: every query against the prototypes of all of its episode's classes.
  public static func episodes(_ sampler: EpisodeSampler, count: Int, _ embeddings: Embeddings) -> Estimate {
    Estimate((0..<count).map { curve(sampler, $0, embeddings).last ?? 0 })
  }

  /// Class-incremental learning (R. Logan et al. 2021, section 4): classes come one at a time, and after each of them all
  /// queries of the classes seen so far are told among the prototypes so far.  A run is an episode of the sampler; item k is
  /// the accuracy with k + 1 classes.
  public static func incremental(_ sampler: EpisodeSampler, runs: Int, _ embeddings: Embeddings) -> [Estimate] {
    let curves = (0..<runs).map { curve(sampler, $0, embeddings) }
    return (0..<sampler.shape.ways).map { ways in Estimate(curves.map { $0[ways] }) }
  }

  /// Accuracies of one episode with its first 1, 2, … classes.  Cost: one product of queries and prototypes.
  private static func curve(_ sampler: EpisodeSampler, _ episode: Int, _ embeddings: Embeddings) -> [Double] {
    let (shape, samples) = (sampler.shape, sampler.samples(episode))
    let memory = PrototypeMemory(classes: shape.ways, width: embeddings.width)
    for row in 0..<shape.supportRows { _ = memory.add(embeddings[Int(samples[row])], to: row / shape.shots) }
    let queries = Embeddings(count: shape.queryRows, width: embeddings.width)
    for row in 0..<shape.queryRows {
      queries[row].update(from: embeddings[Int(samples[shape.supportRows + row])], count: embeddings.width)
    }
    var right = [Int](repeating: 0, count: shape.ways)
    let prototypes = Prototypes(memory, labels: Array(0..<shape.ways))
    prototypes.forEachRow(queries[0], count: shape.queryRows) { row, scores in
      // What is the best of the first classes decides until a better one comes.
      let own = row / shape.queries
      var (best, place) = (-Float.infinity, -1)
      for way in 0..<shape.ways {
        if scores[way] > best { (best, place) = (scores[way], way) }
        if way >= own, place == own { right[way] += 1 }
      }
    }
    return right.enumerated().map { Double($1) / Double(($0 + 1) * shape.queries) }
  }
}
