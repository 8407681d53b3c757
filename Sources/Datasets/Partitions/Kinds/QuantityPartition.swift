import Configuration
import Tensors

/// Sizes drawn from a Dirichlet distribution; every client's samples are alike (NIID-Bench, Q. Li et al. 2022).
struct QuantityPartition: DealtPartition {
  static let name = "quantity"
  static let help = "all samples shuffled and cut in shares drawn from Dir(alpha): sizes differ, classes do not"

  let alpha: Double
  let minimum: Int

  init(_ options: inout Options) throws(ConfigurationError) {
    alpha = try options.concentration(default: 0.5)
    minimum = try options.minimum()
  }

  func drawsSizes(_ set: PartitionedSet, clients: Int) -> Bool { true }

  func deal(_ draw: inout PartitionDraw) {
    var order = draw.stream(.order)
    var stream = draw.stream(.shares)
    draw.give(order.permutation(draw.set.count), shares: stream.dirichlet(alpha, count: draw.clients))
  }
}
