import Configuration
import Federated
import Tensors
import Testing

@Suite("Episodes")
struct EpisodeTests {
  static let shapes = [
    EpisodeShape(ways: 5, shots: 1, queries: 1), EpisodeShape(ways: 12, shots: 3, queries: 4),
    EpisodeShape(ways: 1, shots: 6, queries: 1),
  ]

  @Test("hold distinct classes, and of each of them distinct samples", arguments: shapes)
  func distinct(_ shape: EpisodeShape) throws {
    let sampler = try EpisodeSampler(Glyphs.classes(12, each: 7), shape, seed: 5, for: .training)
    for episode in 0..<50 {
      let samples = sampler.samples(episode)
      #expect(samples.count == shape.rows)
      #expect(Set(samples).count == shape.rows)
      let labels = samples.map { $0 / 7 }
      let supports = (0..<shape.ways).map { way in Set(labels[way * shape.shots..<(way + 1) * shape.shots]) }
      let queries = (0..<shape.ways).map { way in
        Set(labels[(shape.supportRows + way * shape.queries)...].prefix(shape.queries))
      }
      #expect(supports == queries)
      #expect(supports.allSatisfy { $0.count == 1 })
      #expect(Set(supports).count == shape.ways)
    }
  }

  @Test("are functions of use, seed and number")
  func keyed() throws {
    let classes = Glyphs.classes(30, each: 9)
    let shape = EpisodeShape(ways: 5, shots: 2, queries: 2)
    func sampler(_ seed: UInt64, _ use: EpisodeSampler.Use) throws -> EpisodeSampler {
      try EpisodeSampler(classes, shape, seed: seed, for: use)
    }
    let one = try sampler(1, .training)
    #expect(one.samples(7) == one.samples(7))
    #expect(try sampler(1, .training).samples(7) == one.samples(7))
    let others = [
      one.samples(8), try sampler(2, .training).samples(7), try sampler(1, .validation).samples(7),
      try sampler(1, .test).samples(7),
    ]
    #expect(Set(others + [one.samples(7)]).count == 5)
  }

  @Test("draw every class and sample alike")
  func uniform() throws {
    let sampler = try EpisodeSampler(
      Glyphs.classes(6, each: 4), EpisodeShape(ways: 2, shots: 1, queries: 1), seed: 9, for: .test)
    var counts = [Int](repeating: 0, count: 24)
    for episode in 0..<6000 { for sample in sampler.samples(episode) { counts[Int(sample)] += 1 } }
    // 1,000 each; a deviation of 31.
    #expect(counts.allSatisfy { abs($0 - 1000) < 130 })
  }

  @Test("pass over classes with too few samples, and refuse too few classes in a line")
  func few() throws {
    let classes = Glyphs.classes(4, each: 5) + [[100, 101]]
    let sampler = try EpisodeSampler(
      classes, EpisodeShape(ways: 4, shots: 3, queries: 2), seed: 1, for: .training)
    for episode in 0..<20 { #expect(sampler.samples(episode).allSatisfy { $0 < 100 }) }
    #expect {
      try EpisodeSampler(classes, EpisodeShape(ways: 5, shots: 3, queries: 2), seed: 1, for: .training)
    } throws: {
      "\($0)".contains("only 4 of 5 classes have as many")
    }
  }
}
