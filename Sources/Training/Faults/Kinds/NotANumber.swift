import Communication
import Configuration

/// A gradient is not a number, as after an overflow.
struct NotANumber: Fault {
  static let name = "nan"
  static let help = """
    The gradient of a shard is not a number, nor is its loss. Training ends with exit code 8, on all ranks alike; the \
    checkpoints before stay.
    """
  static let example = "nan: {shard: 3, step: 40}"
  let occasion: FaultOccasion
  private let shard: Int
  private let loss: Bool

  init(_ options: inout Options) throws(ConfigurationError) {
    occasion = try .ofShard(&options)
    if case .shard(let shard) = occasion.victim { self.shard = shard } else { shard = 0 }
    loss = try options.flag(
      "loss", default: true,
      "whether its loss is none either, as it mostly is; without it only what follows from the gradient tells")
  }

  func happen(to rank: FaultyRank) throws(CommunicationError) { rank.spoil(shard: shard, loss: loss) }
}
