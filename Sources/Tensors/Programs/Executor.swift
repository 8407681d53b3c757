/// Memory for activations, which several executors of one thread may share: only one of them runs at a time.
public final class Pool {
  let storage: Storage
  /// Whose preparation it holds, and of which parameters.
  var occupant: ObjectIdentifier?

  /// Memory of `bytes` bytes.
  public init(bytes: Int) { storage = Storage(zeros: (bytes + 3) / 4) }

  /// Size in bytes.
  public var bytes: Int { storage.count * 4 }
}

/// Runs a plan on one thread.  Belongs to that thread; the plan may be shared.
public final class Executor {
  /// What it runs.
  public let plan: Plan
  private let pool: Pool
  private let metrics: UnsafeMutablePointer<Double>
  private let bases: UnsafeMutablePointer<UnsafeMutableRawPointer>
  private let preparation: [Box]
  private let step: [Box]
  private let preparationKernels: [Unmanaged<Box>]
  private let stepKernels: [Unmanaged<Box>]
  private var prepared: (parameters: UnsafeMutableRawPointer, version: Int)?
  /// The run that goes from meeting to meeting, with the instructions done and the meetings behind it.
  private var course: (run: Run, done: Int, met: Int)?

  private final class Box {
    let kernel: Kernel
    init(_ kernel: @escaping Kernel) { self.kernel = kernel }
  }

  /// The blocks of memory that a run works on, and what differs from step to step.
  public struct Inputs {
    /// Weights and states.
    public var store: ParameterStore
    /// Changes whenever the weights do, so that packed copies are renewed.
    public var version: Int
    /// Where gradients and statistics go; nil for evaluation.
    public var gradients: Storage?
    /// The samples.
    public var samples: UnsafeMutableRawPointer
    /// Classes or values to be predicted.
    public var targets: UnsafeMutableRawPointer
    /// What the program reads beside samples and parameters, where it records such a table.
    public var table: Storage?
    /// What an earlier stage made of these samples, where the program takes it.
    public var incoming: UnsafeMutableRawPointer?
    /// Room for what a later stage gets, where the program makes it.
    public var outgoing: UnsafeMutableRawPointer?
    /// One key a sample for its random numbers.
    public var sampleKeys: UnsafePointer<UInt64>
    /// Epoch or round.
    public var epoch: UInt64 = 0
    /// The experiment's seed.
    public var seed: UInt64 = 0
    /// One over the targets of the whole step.
    public var targetWeight: Float = 1
    /// Samples of this shard over those of the step.
    public var share: Float = 1

    /// The blocks of one run.
    public init(
      store: ParameterStore, version: Int, gradients: Storage?, samples: UnsafeMutableRawPointer,
      targets: UnsafeMutableRawPointer, sampleKeys: UnsafePointer<UInt64>
    ) {
      self.store = store
      self.version = version
      self.gradients = gradients
      self.samples = samples
      self.targets = targets
      self.sampleKeys = sampleKeys
    }
  }

  /// An executor whose activations lie in `pool`.
  public init(_ plan: Plan, pool: Pool) {
    precondition(pool.bytes >= plan.poolBytes, "a pool of \(pool.bytes) bytes for a plan of \(plan.poolBytes)")
    self.plan = plan
    self.pool = pool
    metrics = .allocate(capacity: max(1, plan.metricCount))
    metrics.initialize(repeating: 0, count: max(1, plan.metricCount))
    bases = .allocate(capacity: Space.allCases.count)
    bases.initialize(repeating: UnsafeMutableRawPointer(pool.storage.base), count: Space.allCases.count)
    bases[Space.metrics.rawValue] = UnsafeMutableRawPointer(metrics)
    preparation = plan.preparation.map { Box($0.lowering.bind($0.operands)) }
    step = plan.step.map { Box($0.lowering.bind($0.operands)) }
    preparationKernels = preparation.map { Unmanaged.passUnretained($0) }
    stepKernels = step.map { Unmanaged.passUnretained($0) }
  }

  deinit {
    metrics.deallocate()
    bases.deallocate()
  }

  /// Runs the program over one batch, of which this shard is all: it meets nobody.
  public func run(_ inputs: borrowing Inputs) {
    run(inputs) { _ in }
  }

  /// Runs the program over one batch, of which this shard is all; `poll` is told the number of instructions done after each of them.
  public func run<Failure: Error>(
    _ inputs: borrowing Inputs, poll: (Int) throws(Failure) -> Void
  ) throws(Failure) {
    let run = bind(inputs)
    var done = 0
    for kernel in stepKernels {
      kernel._withUnsafeGuaranteedRef { $0.kernel(run) }
      done &+= 1
      try poll(done)
    }
  }

  /// Does now what the next run of the same inputs would begin with: the work on parameters alone.  For profiles.
  public func prepare(_ inputs: borrowing Inputs) { _ = bind(inputs) }

  // MARK: From meeting to meeting

  /// Begins a run that `advance` takes from meeting to meeting.  Until it has ended, inputs and pool belong to it.
  public func begin(_ inputs: borrowing Inputs) { course = (bind(inputs), 0, 0) }

  /// Runs to the next meeting of the plan, or after the last one to the end.
  public func advance() {
    guard let course else { preconditionFailure("no run was begun") }
    let meetings = plan.meetings
    let end = course.met < meetings.count ? meetings[course.met].instructions : stepKernels.count
    for index in course.done..<end { stepKernels[index]._withUnsafeGuaranteedRef { $0.kernel(course.run) } }
    self.course = (course.run, end, course.met + 1)
  }

  /// What this shard has brought to a meeting; what is in its place when the run goes on counts as the whole batch's.
  public func numbers(ofMeeting index: Int) -> UnsafeMutablePointer<Double> {
    let place = plan.meetings[index].place
    return (bases[place.space] + place.offset).assumingMemoryBound(to: Double.self)
  }

  /// Points to the blocks of the inputs, and runs what depends on parameters alone unless the pool holds it already.
  private func bind(_ inputs: borrowing Inputs) -> Run {
    LibraryThreads.limitToOne()
    let store = inputs.store
    precondition(
      store.layout.parameterCount == plan.layout.parameterCount, "a store of another model")
    bases[Space.parameters.rawValue] = UnsafeMutableRawPointer(store.parameters.base)
    bases[Space.states.rawValue] = UnsafeMutableRawPointer(store.states.base)
    bases[Space.inputs.rawValue] = inputs.samples
    bases[Space.targets.rawValue] = inputs.targets
    if let table = inputs.table { bases[Space.table.rawValue] = UnsafeMutableRawPointer(table.base) }
    if let incoming = inputs.incoming { bases[Space.incoming.rawValue] = incoming }
    if let outgoing = inputs.outgoing { bases[Space.outgoing.rawValue] = outgoing }
    if let gradients = inputs.gradients {
      precondition(gradients.count >= plan.layout.gradientCount, "a gradient block of another model")
      bases[Space.gradients.rawValue] = UnsafeMutableRawPointer(gradients.base)
    }
    let run = Run(
      bases: bases, sampleKeys: inputs.sampleKeys, epoch: inputs.epoch, seed: inputs.seed,
      targetWeight: inputs.targetWeight, share: inputs.share)
    let parameters = bases[Space.parameters.rawValue]
    let isPrepared = prepared.map { $0 == (parameters, inputs.version) } ?? false
    if pool.occupant != ObjectIdentifier(self) || !isPrepared {
      for kernel in preparationKernels { kernel._withUnsafeGuaranteedRef { $0.kernel(run) } }
      pool.occupant = ObjectIdentifier(self)
      prepared = (parameters, inputs.version)
    }
    return run
  }

  /// A sum that the last run reported.
  public func metric(_ index: Int) -> Double { metrics[index] }

  /// The scalars of a result of the last run; valid until the pool is used again.
  public func result(_ index: Int) -> UnsafeBufferPointer<Float> {
    let result = plan.results[index]
    let start = (bases[result.operand.space] + result.operand.offset).assumingMemoryBound(to: Float.self)
    return UnsafeBufferPointer(start: start, count: result.count)
  }
}
