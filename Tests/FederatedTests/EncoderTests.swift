import Datasets
import Federated
import Tensors
import Testing

@Suite("Prototypical encoders")
struct EncoderTests {
  static let shape = EpisodeShape(ways: 5, shots: 2, queries: 2)

  private func trained(
    _ settings: EncoderSettings, workers: Workers, seed: UInt64 = 1
  ) throws -> (parameters: [Float], states: [Float], accuracies: [Double]) {
    let source = Glyphs.source(classes: 20, each: 6)
    let (model, store) = try Glyphs.encoder(channels: 8)
    let sampler = try EpisodeSampler(Glyphs.classes(20, each: 6), Self.shape, seed: seed, for: .training)
    let training = EncoderTraining(model, sampler, of: source, settings, workers: workers)
    var accuracies: [Double] = []
    training.run(store) {
      accuracies.append($0.accuracy)
      return true
    }
    return (Array(store.parameters.scalars), Array(store.states.scalars), accuracies)
  }

  @Test("learn the same bits with any number of workers", arguments: [1, 2, 3, 4])
  func workers(_ batch: Int) throws {
    let settings = EncoderSettings(episodes: 10, batch: batch, halving: 4, averaging: 0.5)
    let expected = try trained(settings, workers: .one)
    #expect(expected.parameters.allSatisfy { $0.isFinite } && expected.states.allSatisfy { $0.isFinite })
    #expect(expected.accuracies.count == (10 + batch - 1) / batch)
    for workers in 2...5 {
      #expect(try trained(settings, workers: .threads(workers)) == expected)
      #expect(try trained(settings, workers: .backwards(workers)) == expected)
    }
    #expect(try trained(settings, workers: .one, seed: 2).parameters != expected.parameters)
  }

  @Test("embed a sample the same wherever it stands, with whomever, and whoever computes it")
  func embedding() throws {
    let source = Glyphs.source(classes: 10, each: 7)
    let (model, store) = try Glyphs.encoder()
    let all = Embedder(model, of: source).embedAll(store)
    func row(_ embeddings: Embeddings, _ row: Int) -> [UInt32] {
      (0..<embeddings.width).map { embeddings[row][$0].bitPattern }
    }
    var random = RandomStream(seed: 1, .test)
    for count in [1, 3, 16, 17, 70] {
      let samples = Array(random.permutation(70).prefix(count))
      let some = Embedder(model, of: source, workers: .threads(2)).embed(samples, store)
      for (place, sample) in samples.enumerated() { #expect(row(some, place) == row(all, Int(sample))) }
    }
    let embedder = Embedder(model, of: source)
    _ = embedder.embedAll(store)
    for index in store.parameters.scalars.indices { store.parameters.base[index] *= 1.5 }
    #expect(row(embedder.embedAll(store), 3) != row(all, 3))
  }

  @Test("learn to tell classes that they have not seen, also one class at a time")
  func learning() throws {
    let source = Glyphs.source(classes: 60, each: 10, noise: 0.6)
    let classes = Glyphs.classes(60, each: 10)
    let (model, store) = try Glyphs.encoder()
    let embedder = Embedder(model, of: source)
    let test = try EpisodeSampler(
      Array(classes[40...]), EpisodeShape(ways: 5, shots: 1, queries: 5), seed: 1, for: .test)
    let incremental = try EpisodeSampler(
      Array(classes[40...]), EpisodeShape(ways: 20, shots: 5, queries: 5), seed: 1, for: .test)
    let start = embedder.embedAll(store)
    let before = PrototypeEvaluation.episodes(test, count: 100, start)
    let sampler = try EpisodeSampler(
      Array(classes[..<40]), EpisodeShape(ways: 10, shots: 3, queries: 3), seed: 1, for: .training)
    EncoderTraining(model, sampler, of: source, EncoderSettings(episodes: 200, batch: 1)).run(store)
    let embeddings = embedder.embedAll(store)
    let after = PrototypeEvaluation.episodes(test, count: 100, embeddings)
    #expect(after.mean > before.mean + before.interval + after.interval)
    let first = PrototypeEvaluation.incremental(incremental, runs: 4, start)
    let curve = PrototypeEvaluation.incremental(incremental, runs: 4, embeddings)
    #expect(curve.count == 20)
    #expect(curve[0].mean == 1 && curve[0].interval == 0)
    #expect(curve[19].mean < curve[1].mean)
    #expect(curve[19].mean > first[19].mean + first[19].interval + curve[19].interval)
  }

  @Test("evaluate as the definition says: every query among the first classes")
  func curve() throws {
    let source = Glyphs.source(classes: 6, each: 5, noise: 1.5)
    let (model, store) = try Glyphs.encoder()
    let embeddings = Embedder(model, of: source).embedAll(store)
    let shape = EpisodeShape(ways: 6, shots: 2, queries: 3)
    let sampler = try EpisodeSampler(Glyphs.classes(6, each: 5), shape, seed: 3, for: .test)
    let curve = PrototypeEvaluation.incremental(sampler, runs: 1, embeddings)
    let samples = sampler.samples(0)
    let prototypes = (0..<6).map { way in
      (0..<embeddings.width).map { i in
        (0..<2).reduce(0.0) { $0 + Double(embeddings[Int(samples[way * 2 + $1])][i]) } / 2
      }
    }
    for ways in 1...6 {
      var right = 0
      for query in 0..<ways * 3 {
        let embedding = embeddings[Int(samples[12 + query])]
        let distances = prototypes[..<ways].map { prototype in
          prototype.enumerated().reduce(0.0) { sum, scalar in
            let difference = Double(embedding[scalar.offset]) - scalar.element
            return sum + difference * difference
          }
        }
        if distances.firstIndex(of: distances.min()!) == query / 3 { right += 1 }
      }
      #expect(curve[ways - 1].mean == Double(right) / Double(ways * 3))
    }
    #expect(PrototypeEvaluation.episodes(sampler, count: 1, embeddings) == curve[5])
  }

  @Test("end as the running mean of the weights after each update")
  func averaging() throws {
    let source = Glyphs.source(classes: 10, each: 5)
    let sampler = try EpisodeSampler(Glyphs.classes(10, each: 5), Self.shape, seed: 1, for: .training)
    func run(_ averaging: Double) throws -> (weights: [[Float]], end: [Float]) {
      let (model, store) = try Glyphs.encoder(channels: 4)
      var weights: [[Float]] = []
      let settings = EncoderSettings(episodes: 6, batch: 1, averaging: averaging)
      EncoderTraining(model, sampler, of: source, settings).run(store) { _ in
        weights.append(Array(store.parameters.scalars) + Array(store.states.scalars))
        return true
      }
      return (weights, Array(store.parameters.scalars) + Array(store.states.scalars))
    }
    let last = try run(0)
    #expect(last.end == last.weights[5])
    let (weights, end) = try run(0.75)
    #expect(weights == last.weights)
    var mean = weights[0].map(Double.init)
    for step in 1..<6 {
      let kept = min(0.75, Double(step) / Double(step + 1))
      for i in mean.indices { mean[i] = kept * mean[i] + (1 - kept) * Double(weights[step][i]) }
    }
    #expect(zip(end, mean).allSatisfy { abs(Double($0) - $1) < 1e-5 * max(1, abs($1)) })
  }

  @Test("end as the best that the validation saw, and stop when told to")
  func validation() throws {
    let source = Glyphs.source(classes: 10, each: 5)
    let (model, store) = try Glyphs.encoder(channels: 4)
    let sampler = try EpisodeSampler(Glyphs.classes(10, each: 5), Self.shape, seed: 1, for: .training)
    var scores = [0.2, 0.7, 0.7, 0.1].makeIterator()
    var seen: [[Float]] = []
    let validation = EncoderTraining.Validation(every: 3) {
      seen.append(Array($0.parameters.scalars) + Array($0.states.scalars))
      return scores.next() ?? 0
    }
    let training = EncoderTraining(model, sampler, of: source, EncoderSettings(episodes: 11, batch: 2))
    var validated: [Int] = []
    training.run(store, validation: validation) {
      if $0.validation != nil { validated.append($0.episodes) }
      return true
    }
    #expect(validated == [4, 6, 10, 11])
    #expect(Array(store.parameters.scalars) + Array(store.states.scalars) == seen[1])
    var updates = 0
    training.run(store) { _ in
      updates += 1
      return updates < 2
    }
    #expect(updates == 2)
  }
}
