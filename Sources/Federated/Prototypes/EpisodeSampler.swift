import Configuration
import Tensors

/// Draws episodes of few-shot learning: distinct classes, and of each of them distinct samples.
///
/// An episode is a function of its key: what it is for, the seed and its number.  Turned characters are classes of the data
/// set, where R. Logan et al. (2021) draw a turn for each class anew: the same classes, but here an episode may hold several
/// turns of one character.
public struct EpisodeSampler: Sendable {
  /// What episodes are for; those of different uses have nothing in common.
  public enum Use: UInt64, Sendable {
    case training, validation, test
  }

  /// Their sizes.
  public let shape: EpisodeShape
  private let classes: [[Int32]]
  private let seed: UInt64
  private let use: Use

  /// Draws from classes of given samples; those with too few samples are passed over.  Throws where too few are left.
  public init(
    _ classes: [[Int32]], _ shape: EpisodeShape, seed: UInt64, for use: Use
  ) throws(ConfigurationError) {
    self.classes = classes.filter { $0.count >= shape.samples }
    guard self.classes.count >= shape.ways else {
      throw ConfigurationError(
        "episodes of \(shape.ways) classes with \(shape.shots) + \(shape.queries) samples each: only "
          + "\(self.classes.count) of \(classes.count) classes have as many; take fewer ways, shots or queries")
    }
    self.shape = shape
    self.seed = seed
    self.use = use
  }

  /// The samples of an episode, in the order of ``EpisodeShape``.
  public func samples(_ episode: Int) -> [Int32] {
    var random = RandomStream(seed: seed, .episode, epoch: UInt64(episode), layer: use.rawValue)
    var samples = [Int32](repeating: 0, count: shape.rows)
    for (way, number) in random.distinct(shape.ways, below: classes.count).enumerated() {
      let known = classes[number]
      for (place, index) in random.distinct(shape.samples, below: known.count).enumerated() {
        let row =
          place < shape.shots
          ? way * shape.shots + place : shape.supportRows + way * shape.queries + place - shape.shots
        samples[row] = known[index]
      }
    }
    return samples
  }
}

extension RandomStream {
  /// So many distinct numbers of 0..<bound in random order: the first steps of Fisher and Yates.
  mutating func distinct(_ count: Int, below bound: Int) -> [Int] {
    var order = Array(0..<bound)
    for place in 0..<count { order.swapAt(place, place + below(bound - place)) }
    return Array(order[..<count])
  }
}
