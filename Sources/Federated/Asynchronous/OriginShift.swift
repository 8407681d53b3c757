import Layers
import Tensors

/// Makes of how a client has changed an older version of the model how far its model lies from the newest:
/// x − w = Δ + (w_base − w), scalar by scalar in Float32, so that all ranks and servers come to the same.
final class OriginShift {
  private let newest: ParameterStore
  private let plan: FederatedPlan
  private let distance: Storage

  init(_ newest: ParameterStore, _ plan: FederatedPlan) {
    self.newest = newest
    self.plan = plan
    distance = Storage(zeros: plan.shared.count)
  }

  /// The upload of a visit that began at `base`.
  func apply(_ upload: Upload, from base: ParameterStore) {
    guard base !== newest, let change = upload.scalars(0).baseAddress else { return }
    plan.shared.difference(of: base, from: newest, into: distance.base)
    OriginShift.add(distance.base, to: change, plan.shared.count)
  }

  @inline(never)
  private static func add(_ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, _ count: Int) {
    var i = 0
    while i < count {
      y[i] += x[i]
      i &+= 1
    }
  }
}
