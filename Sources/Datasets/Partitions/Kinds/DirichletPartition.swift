import Configuration
import Tensors

/// Each class in shares of its own, drawn from a Dirichlet distribution (M. Yurochkin et al. 2019; H. Hsu et al. 2019; the
/// redraws and the balanced variant are those of NIID-Bench, Q. Li et al. 2022).
struct DirichletPartition: DealtPartition {
  static let name = "dirichlet"
  static let help =
    "each class shuffled and cut in shares drawn from Dir(alpha): 0.1 is strongly skewed, 0.5 mildly, 100 hardly"

  let alpha: Double
  let isBalanced: Bool
  let minimum: Int

  init(_ options: inout Options) throws(ConfigurationError) {
    alpha = try options.concentration(default: 0.5)
    isBalanced = try options.flag(
      "balanced", default: false,
      "clients that hold their part of all samples already get nothing more, so that sizes are more alike")
    minimum = try options.minimum()
  }

  func refusal(_ set: PartitionedSet, clients: Int) -> String? { set.lacksLabels(DirichletPartition.name) }

  func drawsSizes(_ set: PartitionedSet, clients: Int) -> Bool { true }

  func deal(_ draw: inout PartitionDraw) {
    var held = [Int](repeating: 0, count: draw.clients)
    for (label, samples) in (draw.set.samplesByClass() ?? []).enumerated() where !samples.isEmpty {
      var order = draw.stream(.order, of: label)
      var stream = draw.stream(.shares, of: label)
      let (clients, total) = (draw.clients, draw.set.count)
      let shuffled = samples.shuffled(by: &order)
      // Whatever is left to deal, some client holds less than its part.
      let shares = stream.dirichlet(alpha, count: clients) { isBalanced && held[$0] * clients >= total }
      draw.give(shuffled, shares: shares)
      if isBalanced { for sample in samples { held[Int(draw.owners[Int(sample)])] += 1 } }
    }
  }
}

extension Options {
  /// The key `alpha` of Dirichlet distributions.
  mutating func concentration(default value: Double) throws(ConfigurationError) -> Double {
    try number(
      "alpha", default: value, in: .positive,
      "concentration of the Dirichlet distribution: the smaller, the more one client gets")
  }
}

extension PartitionedSet {
  /// What to say where a kind needs classes and there are none; nil where there are.
  func lacksLabels(_ name: String) -> String? {
    labels == nil
      ? "`\(name)` needs samples of one class each, which these data are not; use iid, quantity, natural or resample"
      : nil
  }
}
