import Datasets

/// What a setting does to rounds beside what the strategy does, in this order: attacks, clipping, compression, and, once a
/// cohort's updates are there, attackers that have seen them all, and noise.
struct RoundStages {
  /// What is done to what a round brought.
  let outcome: [any OutcomeStage]
  /// Attackers that look at all changes first.
  let collusion: Collusion?
  /// The model as clients know it; nil where they know the server's.
  let known: KnownModel?
  private let task: FederatedTask
  private let plan: FederatedPlan
  private let attack: (kind: AttackOptions.Kind, who: Attackers)?
  /// The norm that clips changes; nil where none does.
  let limit: ChangeLimit?
  private let compression: CompressionOptions
  /// How a client elsewhere follows the model that clients know; nil where that is the server's.
  private let steps: ModelSteps?

  /// The stages of a plan that the setting has adapted; `isClient` for those of a client elsewhere, who knows what it is sent.
  init(
    _ setting: FederatedSetting, _ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast,
    isClient: Bool = false
  ) throws(FederatedError) {
    self.task = task
    self.plan = plan
    compression = setting.compression
    var outcome: [any OutcomeStage] = []
    var limit = setting.changeLimit.map { ChangeLimit($0) }
    if let options = setting.privacy {
      let stage = try PrivacyStage(options, setting, task)
      limit = stage.limit
      outcome.append(stage)
    }
    self.outcome = outcome
    self.limit = limit
    var collusion: Collusion?
    var attack: (AttackOptions.Kind, Attackers)?
    if let options = setting.attack {
      let who = try Attackers(options.members, clients: task.partition.clients, seed: task.seed)
      if case .littleIsEnough(let z, let power) = options.kind {
        collusion = Collusion(z: z, power: power, who, limit)
      } else {
        attack = (options.kind, who)
      }
    }
    (self.attack, self.collusion) = (attack, collusion)
    known = isClient ? nil : compression.down.map { KnownModel($0, task, plan, of: broadcast) }
    steps = isClient ? compression.down.map { ModelSteps($0, task, plan) } : nil
  }

  /// What is done to every upload, for one worker.
  func uploadStages() -> [any UploadStage] {
    var stages: [any UploadStage] = []
    if let attack { stages.append(AttackStage(attack.kind, attack.who, task, plan)) }
    if let limit { stages.append(ClippingStage(limit, plan)) }
    if let up = compression.up {
      stages.append(CompressionStage(up, task, plan))
      // What is decoded may be longer than what was compressed, and nothing longer may be added.
      if let limit { stages.append(ClippingStage(limit, plan, counts: false)) }
    }
    return stages
  }

  /// What they remember, for checkpoints.
  var memory: [ServerMemory] { outcome.flatMap(\.memory) + (known?.memory ?? []) }

  /// Before a round, counted from 0, is begun.  Throws where it may not be.
  func begin(round: Int) throws(FederatedError) {
    for stage in outcome { try stage.begin(round: round) }
    known?.begin(round: round)
  }

  /// The broadcast of a client elsewhere ← what it was sent before a round.
  func take(
    _ download: SafetensorsView, _ kind: DownloadKind, round: Int, into broadcast: Broadcast, _ half: any ClientHalf
  ) throws(DataError) {
    guard kind == .step, let steps else { return try half.take(download, kind, into: broadcast, plan) }
    try steps.take(download, round: round)
    try broadcast.takeBlocks(download, plan)
    steps.move(broadcast.model)
  }
}
