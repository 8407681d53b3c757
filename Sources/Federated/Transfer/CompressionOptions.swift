import Compression
import Configuration

/// The key `federated.compression`: how changes and models travel.
public struct CompressionOptions: Sendable {
  /// How clients send their changes; nil for Float32.
  public let up: CompressorChoice?
  /// How the server sends what its model has changed by; nil for the model in Float32.
  public let down: CompressorChoice?

  /// Both ways.
  public init(up: CompressorChoice? = nil, down: CompressorChoice? = nil) {
    self.up = up
    self.down = down
  }

  /// Reads both ways.  Throws for a compressor that does not suit downloads.
  init(_ options: inout Options) throws(ConfigurationError) {
    up = try CompressorCatalog.read("up", &options, "how clients say their change, with what was left out before")
    down = try CompressorCatalog.read(
      "down", &options, "how the server says what lies between its model and the one that clients know")
    try options.require(
      down?.contracts ?? true, key: "down",
      "\(options.keyPath).down is \(down?.name ?? ""), whose errors may be larger than what is sent and would grow from round "
        + "to round; take more levels or smaller buckets, or top-k")
  }
}

/// How the scalars of a change are cut for compression: by parameters, of which each has its own message.
struct ChangePieces: Sendable {
  /// Ranges of the packed change, one behind the other.
  let ranges: [Range<Int>]

  /// The parameters and states that all clients share.
  init(_ plan: FederatedPlan, _ task: FederatedTask) { ranges = plan.shared.pieces(of: task.layout) }

  var longest: Int { ranges.map(\.count).max() ?? 0 }

  /// Bytes of the messages.
  func bytes(_ choice: CompressorChoice) -> Int {
    let compressor = choice.make(longest)
    return ranges.reduce(0) { $0 + compressor.byteCount(of: $1.count) }
  }
}
