import Configuration
import Optimizers
import Tensors

/// Federated averaging with an adaptive server (Reddi, Charles, Zaheer, Garrett, Rush, Konečný, Kumar, McMahan, ICLR 2021,
/// algorithm 2), with Δ = Σ p_k (w_k − w):
///
///     m ← β₁ m + (1 − β₁) Δ
///     v ← v + Δ²                            fedadagrad
///     v ← v − (1 − β₂) Δ² sign(v − Δ²)      fedyogi
///     v ← β₂ v + (1 − β₂) Δ²                fedadam
///     w ← w + η m / (√v + τ)
///
/// As in the paper there is no correction for the start, which Flower's FedAdam has.  Deviation: v starts at 0, where the
/// algorithm asks for at least τ².
/// Upload and download: the model, 4 bytes a scalar.
protocol AdaptiveStrategy: FederatedStrategy {
  var step: AdaptiveNumbers { get }
}

extension AdaptiveStrategy {
  /// The change of all scalars.
  public func plan(_ task: FederatedTask) -> FederatedPlan { FederatedPlan(shared: SharedScalars(task.layout)) }

  /// Trains from the broadcast.
  public func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf { AveragingClient() }

  /// Moves by the first moment over the root of the second.
  public func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf {
    SteppingServer(AdaptiveStep(step, count: task.layout.parameterCount), plan, broadcast)
  }
}

/// Federated averaging with Adagrad at the server: see ``FedAdam`` for what is common.
public struct FedAdagrad: AdaptiveStrategy {
  /// The name in configurations.
  public static let name = "fedadagrad"
  /// What it does.
  public static let help = "averages models; the server steps by Adagrad"
  let step: AdaptiveNumbers

  /// Reads η, β₁ and τ.
  public init(options: inout Options) throws(ConfigurationError) {
    step = try AdaptiveNumbers(&options, .adagrad, eta: 0.1, beta1: 0)
  }
}

/// Federated averaging with Yogi at the server: see ``FedAdam`` for what is common.
public struct FedYogi: AdaptiveStrategy {
  /// The name in configurations.
  public static let name = "fedyogi"
  /// What it does.
  public static let help = "averages models; the server steps by Yogi"
  let step: AdaptiveNumbers

  /// Reads η, β₁, β₂ and τ.
  public init(options: inout Options) throws(ConfigurationError) {
    step = try AdaptiveNumbers(&options, .yogi, eta: 0.01, beta1: 0.9)
  }
}

/// Federated averaging with Adam at the server (Reddi et al., ICLR 2021, algorithm 2): w ← w + η m / (√v + τ), with running
/// means m of the mean change and v of its square, and no correction for their start.  Upload and download: the model.
public struct FedAdam: AdaptiveStrategy {
  /// The name in configurations.
  public static let name = "fedadam"
  /// What it does.
  public static let help = "averages models; the server steps by Adam"
  let step: AdaptiveNumbers

  /// Reads η, β₁, β₂ and τ.
  public init(options: inout Options) throws(ConfigurationError) {
    step = try AdaptiveNumbers(&options, .adam, eta: 0.01, beta1: 0.9)
  }
}

/// The options of an adaptive server.
struct AdaptiveNumbers: Sendable {
  enum Kind: Sendable {
    case adagrad, yogi, adam
  }

  let kind: Kind
  let eta: Float
  let beta1: Float
  let beta2: Float
  let tau: Float

  init(_ options: inout Options, _ kind: Kind, eta: Double, beta1: Double) throws(ConfigurationError) {
    self.kind = kind
    self.eta = Float(try options.number("eta", default: eta, in: .positive, "learning rate of the server, η"))
    self.beta1 = Float(
      try options.number("beta1", default: beta1, in: .fractionBelowOne, "share of the old mean of changes, β₁"))
    beta2 =
      kind == .adagrad
      ? 0
      : Float(
        try options.number(
          "beta2", default: 0.99, in: .fractionBelowOne, "share of the old mean of squared changes, β₂"))
    tau = Float(try options.number("tau", default: 1e-3, in: .positive, "what keeps steps bounded, τ"))
  }
}

private struct AdaptiveStep: ServerStep {
  let numbers: AdaptiveNumbers
  let first: Storage
  let second: Storage

  init(_ numbers: AdaptiveNumbers, count: Int) {
    self.numbers = numbers
    first = Storage(zeros: count)
    second = Storage(zeros: count)
  }

  var memory: [ServerMemory] { [ServerMemory("first-moment", first), ServerMemory("second-moment", second)] }

  func transform(_ change: UnsafeMutablePointer<Float>, count: Int, _ outcome: RoundOutcome) {
    switch numbers.kind {
    case .adagrad: AdaptiveStep.accumulate(change, into: second.base, count)
    case .yogi: AdaptiveStep.yogi(change, into: second.base, 1 - numbers.beta2, count)
    case .adam: AdaptiveStep.adam(change, into: second.base, numbers.beta2, count)
    }
    AdaptiveStep.step(numbers, first.base, second.base, change, count)
  }

  @inline(never)
  private static func accumulate(_ x: UnsafePointer<Float>, into v: UnsafeMutablePointer<Float>, _ count: Int) {
    var i = 0
    while i < count {
      v[i] += x[i] * x[i]
      i &+= 1
    }
  }

  @inline(never)
  private static func yogi(
    _ x: UnsafePointer<Float>, into v: UnsafeMutablePointer<Float>, _ fresh: Float, _ count: Int
  ) {
    var i = 0
    while i < count {
      let square = x[i] * x[i]
      let sign: Float = v[i] > square ? 1 : v[i] < square ? -1 : 0
      v[i] -= fresh * square * sign
      i &+= 1
    }
  }

  @inline(never)
  private static func adam(
    _ x: UnsafePointer<Float>, into v: UnsafeMutablePointer<Float>, _ beta: Float, _ count: Int
  ) {
    var i = 0
    while i < count {
      v[i] = beta * v[i] + (1 - beta) * x[i] * x[i]
      i &+= 1
    }
  }

  @inline(never)
  private static func step(
    _ n: AdaptiveNumbers, _ m: UnsafeMutablePointer<Float>, _ v: UnsafePointer<Float>,
    _ change: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    let (eta, beta, tau) = (n.eta, n.beta1, n.tau)
    var i = 0
    while i < count {
      let moment = beta * m[i] + (1 - beta) * change[i]
      m[i] = moment
      change[i] = eta * moment / (v[i].nonNegativeRoot + tau)
      i &+= 1
    }
  }
}
