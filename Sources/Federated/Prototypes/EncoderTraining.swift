import Datasets
import Glibc
import Layers
import Optimizers
import Tensors

/// How an encoder is trained by episodes.
public struct EncoderSettings: Sendable, Hashable {
  /// Episodes of the whole training.
  public var episodes: Int
  /// Episodes whose gradients are averaged for one update.
  public var batch: Int
  /// Adam's rate at the start.
  public var learningRate: Double
  /// Episodes after which the rate is halved, again and again; nil for a constant rate.
  public var halving: Int?
  /// Share of the old mean that each update keeps in the running mean of the weights, which the training ends as; 0 ends as
  /// the last weights.
  public var averaging: Double

  /// R. Logan et al. (2021) take 50,000 episodes, one an update, at 0.001, and the last weights.
  public init(
    episodes: Int, batch: Int = 2, learningRate: Double = 1e-3, halving: Int? = nil, averaging: Double = 0
  ) {
    precondition(episodes >= 0 && batch >= 1 && learningRate > 0 && halving.map { $0 > 0 } != false, "\(episodes)")
    precondition(averaging >= 0 && averaging < 1, "a running mean that keeps \(averaging)")
    self.episodes = episodes
    self.batch = batch
    self.learningRate = learningRate
    self.halving = halving
    self.averaging = averaging
  }

  /// The rate of the update that begins with an episode.
  func learningRate(at episode: Int) -> Double {
    halving.map { learningRate * pow(0.5, Double(episode / $0)) } ?? learningRate
  }
}

/// Meta-training of an encoder (Snell, Swersky, Zemel 2017, algorithm 1), by Adam, with a running mean of the weights.
///
/// Each episode is normalised by its own statistics and makes a gradient of its own; those of an update are averaged in order
/// of episodes, so that the bits depend on the batch but not on the workers.
public final class EncoderTraining {
  /// What one update found.
  public struct Progress: Sendable {
    /// Episodes so far.
    public let episodes: Int
    /// Mean loss of the update's queries.
    public let loss: Double
    /// Share of them that was right.
    public let accuracy: Double
    /// What the validation after this update gave.
    public let validation: Double?
  }

  /// Decides which weights to keep: those with the highest score so far.
  public struct Validation {
    /// Episodes from one to the next; the last update is always followed by one.
    public let interval: Int
    /// Scores weights.
    public let score: (ParameterStore) -> Double

    /// Scores the weights after so many episodes each.
    public init(every interval: Int, score: @escaping (ParameterStore) -> Double) {
      precondition(interval >= 1, "a validation every \(interval) episodes")
      self.interval = interval
      self.score = score
    }
  }

  private let layout: ParameterLayout
  private let source: any DataSource
  private let sampler: EpisodeSampler
  private let settings: EncoderSettings
  private let workers: Workers
  private let lanes: [Lane]
  /// One block for each episode of an update; the first becomes their sum.
  private let gradients: [Storage]
  private let optimizer: Optimizer
  /// The running mean of the weights.
  private let mean: ParameterStore
  private let sums: [Sums]
  /// Changes with every update.
  private var version = 0

  /// `@unchecked Sendable`: a lane belongs to one worker while it runs.
  private final class Lane: @unchecked Sendable {
    let executor: Executor
    let batch: Batch

    init(_ plan: Plan, _ source: any DataSource) {
      executor = Executor(plan, pool: Pool(bytes: plan.poolBytes))
      batch = Batch(capacity: plan.batch, of: source)
    }
  }

  /// What one episode reported.  `@unchecked Sendable`: written by the worker that has the episode.
  private final class Sums: @unchecked Sendable {
    var loss = 0.0
    var correct = 0.0
  }

  /// Trains `model` by episodes of `source`'s samples.
  public init(
    _ model: Model, _ sampler: EpisodeSampler, of source: any DataSource, _ settings: EncoderSettings,
    _ compute: Compute = Compute(), workers: Workers = .one
  ) {
    let shape = sampler.shape
    let recorder = Recorder(batch: shape.rows, mode: .training, layout: model.layout, compute: compute)
    let outputs = model.record(model.recordInput(recorder), recorder)
    let loss = recorder.episodeLoss(
      recorder.reshape(outputs, [shape.rows, model.output.shape.count]), shape)
    recorder.fuse()
    recorder.differentiate([loss])
    let plan = Plan(recorder)
    precondition(plan.meetings.isEmpty, "episodes are normalised each on its own")
    layout = model.layout
    self.source = source
    self.sampler = sampler
    self.settings = settings
    self.workers = workers
    lanes = (0..<min(workers.count, settings.batch)).map { _ in Lane(plan, source) }
    gradients = (0..<settings.batch).map { _ in Storage(zeros: model.layout.gradientCount) }
    optimizer = Optimizer(Adam(), layout: model.layout)
    mean = ParameterStore(model.layout)
    sums = (0..<settings.batch).map { _ in Sums() }
  }

  /// Trains the weights of a store from what they are; with a validation, they end as the best that it saw.
  ///
  /// `progress` is called after every update and says whether to go on.
  public func run(
    _ store: ParameterStore, validation: Validation? = nil, progress: (Progress) -> Bool = { _ in true }
  ) {
    if settings.episodes == 0 { return }
    optimizer.reset()
    let best = ParameterStore(layout)
    var highest = -Double.infinity
    var (step, first) = (0, 0)
    var goesOn = true
    while first < settings.episodes, goesOn {
      let count = min(settings.batch, settings.episodes - first)
      update(store, step: step, episodes: first..<first + count)
      // The first weights would weigh too much in a mean that keeps most of what it is.
      average(store, keeping: Float(min(settings.averaging, Double(step) / Double(step + 1))))
      let last = first
      (step, first) = (step + 1, first + count)
      var score: Double?
      if let validation,
        first / validation.interval > last / validation.interval || first == settings.episodes
      {
        let value = validation.score(mean)
        if value > highest {
          highest = value
          EncoderTraining.copy(mean, into: best)
        }
        score = value
      }
      let queries = Double(count * sampler.shape.queryRows)
      goesOn = progress(
        Progress(
          episodes: first, loss: sums[..<count].reduce(0) { $0 + $1.loss } / queries,
          accuracy: sums[..<count].reduce(0) { $0 + $1.correct } / queries, validation: score))
    }
    EncoderTraining.copy(highest > -.infinity ? best : mean, into: store)
  }

  private static func copy(_ source: ParameterStore, into target: ParameterStore) {
    target.parameters.copy(from: source.parameters)
    target.states.copy(from: source.states)
  }

  /// mean ← kept · mean + (1 − kept) · weights, running statistics as well.
  private func average(_ store: ParameterStore, keeping kept: Float) {
    for (source, target) in [(store.parameters, mean.parameters), (store.states, mean.states)] {
      let (x, y) = (source.base, target.base)
      var i = 0
      while i < source.count {
        y[i] = kept * y[i] + (1 - kept) * x[i]
        i &+= 1
      }
    }
  }

  /// Moves the weights by the mean gradient of some episodes.
  private func update(_ store: ParameterStore, step: Int, episodes: Range<Int>) {
    let count = episodes.count
    version += 1
    let (source, sampler, lanes, gradients, sums, version) = (source, sampler, lanes, gradients, sums, version)
    let weight = 1 / Float(count * sampler.shape.queryRows)
    workers.run { worker in
      guard worker < lanes.count else { return }
      let lane = lanes[worker]
      for index in stride(from: worker, to: count, by: lanes.count) {
        let episode = episodes.lowerBound + index
        let samples = sampler.samples(episode)
        lane.batch.fill(from: source, samples: samples[...], epoch: UInt64(episode))
        var inputs = Executor.Inputs(
          store: store, version: version, gradients: gradients[index], samples: lane.batch.input,
          targets: lane.batch.targets, sampleKeys: lane.batch.sampleKeys)
        inputs.targetWeight = weight
        inputs.share = 1 / Float(count)
        lane.executor.run(inputs)
        (sums[index].loss, sums[index].correct) = (lane.executor.metric(0), lane.executor.metric(1))
      }
    }
    let (workers, optimizer, parameters) = (workers, optimizer, layout.parameterCount)
    let rate = settings.learningRate(at: episodes.lowerBound)
    workers.run { worker in
      let part = workers.part(worker, of: gradients[0].count, grain: 4096)
      for other in gradients[1..<count] {
        VectorMath.add(other.base + part.lowerBound, to: gradients[0].base + part.lowerBound, count: part.count)
      }
      optimizer.update(
        parameters: store.parameters.base, gradients: gradients[0].base, range: part.clamped(to: 0..<parameters),
        step: step, learningRate: rate)
    }
    store.moveStates(gradients[0])
  }
}
