import Configuration
import Tensors

/// All samples in a random order, in equal parts.
struct EvenPartition: DealtPartition {
  static let name = "iid"
  static let help = "all samples shuffled and cut into parts that differ by at most one sample"

  let minimum: Int

  init(_ options: inout Options) throws(ConfigurationError) { minimum = try options.minimum() }

  func deal(_ draw: inout PartitionDraw) {
    var stream = draw.stream(.order)
    draw.giveEqually(stream.permutation(draw.set.count), to: (0..<Int32(draw.clients)).map { $0 })
  }
}
