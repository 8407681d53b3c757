import Tensors
import Testing

@Suite("The loss of episodes")
struct EpisodeLossTests {
  static let shapes: [(EpisodeShape, Int)] = [
    (EpisodeShape(ways: 1, shots: 1, queries: 1), 3), (EpisodeShape(ways: 5, shots: 1, queries: 3), 16),
    (EpisodeShape(ways: 3, shots: 4, queries: 1), 33), (EpisodeShape(ways: 20, shots: 5, queries: 7), 64),
    (EpisodeShape(ways: 2100, shots: 1, queries: 1), 5),
  ]

  static func trial(
    _ embeddings: Array32, _ shape: EpisodeShape, mode: Mode = .training, weight: Float = 1,
    backend: Compute.Backend = .onednn
  ) -> Trial {
    var settings = Trial.Settings()
    settings.mode = mode
    settings.targetWeight = weight
    settings.compute = Compute(backend: backend)
    return Trial([embeddings], settings) { recorder, p in ([recorder.episodeLoss(p[0], shape)], []) }
  }

  /// Losses, right queries and the gradient of the mean loss, by the definition in Float64.
  static func reference(
    _ embeddings: Array32, _ shape: EpisodeShape
  ) -> (loss: Double, correct: Double, gradient: [Double]) {
    let width = embeddings.shape[1]
    func row(_ index: Int) -> [Double] { embeddings.scalars[index * width..<(index + 1) * width].map(Double.init) }
    let prototypes = (0..<shape.ways).map { way in
      let rows = (0..<shape.shots).map { row(way * shape.shots + $0) }
      return (0..<width).map { i in rows.reduce(0) { $0 + $1[i] } / Double(shape.shots) }
    }
    var (loss, correct) = (0.0, 0.0)
    var gradient = [Double](repeating: 0, count: embeddings.scalars.count)
    for way in 0..<shape.ways {
      for query in 0..<shape.queries {
        let place = shape.supportRows + way * shape.queries + query
        let q = row(place)
        let logits = prototypes.map { p in -zip(p, q).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } }
        let top = logits.max()!
        let exponentials = logits.map { exponential($0 - top) }
        let total = exponentials.reduce(0, +)
        loss -= naturalLogarithm(exponentials[way] / total)
        if logits.firstIndex(of: top) == way { correct += 1 }
        for other in 0..<shape.ways {
          let g = (exponentials[other] / total - (other == way ? 1 : 0)) / Double(shape.queryRows)
          for i in 0..<width {
            let slope = -2 * g * (q[i] - prototypes[other][i])
            gradient[place * width + i] += slope
            for shot in 0..<shape.shots {
              gradient[(other * shape.shots + shot) * width + i] -= slope / Double(shape.shots)
            }
          }
        }
      }
    }
    return (loss, correct, gradient)
  }

  /// Embeddings whose classes are near enough for losses of all sizes.
  static func embeddings(_ shape: EpisodeShape, _ width: Int) -> Array32 {
    var array = Array32.random([shape.rows, width], 5)
    for i in array.scalars.indices { array.scalars[i] = array.scalars[i] * 0.4 + 0.5 }
    return array
  }

  @Test("is the definition's, and so is its gradient", arguments: shapes.indices, Compute.Backend.allCases)
  func definition(_ index: Int, _ backend: Compute.Backend) {
    let (shape, width) = Self.shapes[index]
    let array = Self.embeddings(shape, width)
    let expected = Self.reference(array, shape)
    let run = Self.trial(array, shape, weight: 1 / Float(shape.queryRows), backend: backend)
    #expect(abs(run.metrics[0] - expected.loss) < 1e-5 * max(1, expected.loss))
    #expect(run.metrics[1] == expected.correct)
    #expect(relativeError(run.gradients[0], expected.gradient.map { Float($0) }) < 1e-5)
    let evaluation = Self.trial(array, shape, mode: .evaluation, backend: backend)
    #expect(evaluation.metrics == run.metrics)
  }

  @Test("has the gradient that differences find", arguments: shapes.indices.dropFirst().dropLast())
  func differences(_ index: Int) {
    let (shape, width) = Self.shapes[index]
    let array = Self.embeddings(shape, width)
    let direction = Array32.random(array.shape, 8).scalars
    func loss(_ sign: Float) -> Double {
      var moved = array
      for i in direction.indices { moved.scalars[i] += sign * 1e-3 * direction[i] }
      return Self.trial(moved, shape).metrics[0]
    }
    let gradient = Self.trial(array, shape).gradients[0]
    let slope = zip(gradient, direction).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    let difference = (loss(1) - loss(-1)) / 2e-3
    #expect(abs(slope - difference) < 5e-3 * max(1, abs(slope)))
  }

  @Test("scales its gradient by the weight, and shows what is not a number")
  func weights() {
    let (shape, width) = Self.shapes[1]
    var array = Self.embeddings(shape, width)
    let (one, half) = (Self.trial(array, shape), Self.trial(array, shape, weight: 0.5))
    #expect(half.gradients[0] == one.gradients[0].map { $0 / 2 })
    #expect(half.metrics == one.metrics)
    array.scalars[7] = .nan
    #expect(Self.trial(array, shape).metrics[0].isNaN)
  }
}
