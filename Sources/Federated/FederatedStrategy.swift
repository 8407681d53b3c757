import Configuration

/// Both halves of a federated method: what clients do and upload, and what the server makes of it.
///
/// A strategy is one file and one line of ``FederatedCatalog``.  It is a value of options; `plan` fixes what travels, and the
/// halves are objects: a client half for each worker, which visits one client after the other, and one server half.  Halves
/// meet only in what the plan declares, so that the same strategy runs as a loop, over ranks and over a network.
public protocol FederatedStrategy: Sendable {
  /// The name in configurations.
  static var name: String { get }
  /// What it does, in a sentence.
  static var help: String { get }

  /// Reads its options.
  init(options: inout Options) throws(ConfigurationError)

  /// Makes sure that the task can be trained so, and says what travels and what is remembered.
  func plan(_ task: FederatedTask) throws(FederatedError) -> FederatedPlan

  /// Whether the model's outputs are embeddings, and not what the loss of the task needs.
  var makesEmbeddings: Bool { get }

  /// The programs that clients run.
  func programs(_ task: FederatedTask) -> LocalPrograms

  /// The half of a client, for one worker.
  func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf

  /// The half of the server, whose broadcast holds the initial model.
  func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf
}

extension FederatedStrategy {
  /// Models make what the loss needs.
  public var makesEmbeddings: Bool { false }

  /// The learning rule's gradients, and the model's losses.
  public func programs(_ task: FederatedTask) -> LocalPrograms { LocalPrograms(task) }
}

/// What travels between server and clients in a round, and what clients remember.
public struct FederatedPlan: Sendable {
  /// The scalars of the model that all clients share; the others are each client's own.
  public var shared: SharedScalars
  /// What a client uploads, in order.
  public var uploads: [UploadPart]
  /// What clients are sent beside the shared scalars of the model, in order.
  public var blocks: [BroadcastBlock]
  /// Bytes of a download to a client that took part in the round before, and to one that did not.
  public var downloadBytes: (follower: Int, other: Int)
  /// Floats that a client remembers between rounds; 0 for a client that remembers nothing.
  public var stateCount: Int
  /// Floats that a client remembers behind those: what compression left out.
  public var residualCount = 0
  /// What a client's update weighs; nil leaves it to the configuration.
  public var weighting: Weighting?
  /// What a client's update weighs where the configuration leaves it too.
  public var usualWeighting = Weighting.samples
  /// How changes that must be seen together are combined; nil where they are averaged.
  public var rule: (any RobustRule)?
  /// Whether changes are averaged only once all are there, for attackers that look at them first.
  public var isSeenTogether = false
  /// Whether uploads travel masked, as ``MaskedLayout`` has them.
  public var isMasked = false

  /// Whether the initial model follows from the seed, so that clients know it; set from the task.
  public internal(set) var startsFromSeed = true

  /// Uploads of the model's change, downloads of the model; everything else is changed afterwards.
  public init(
    shared: SharedScalars, uploads: [UploadPart]? = nil, blocks: [BroadcastBlock] = [], stateCount: Int = 0,
    weighting: Weighting? = nil, rule: (any RobustRule)? = nil
  ) {
    self.shared = shared
    self.uploads = uploads ?? [.change(count: shared.count)]
    self.blocks = blocks
    let bytes = blocks.reduce(4 * shared.count) { $0 + $1.bytes }
    downloadBytes = (bytes, bytes)
    self.stateCount = stateCount
    self.weighting = weighting
    self.rule = rule
  }

  /// Bytes of an upload.
  public var uploadBytes: Int { uploads.reduce(isMasked ? MaskedLayout.extraBytes : 0) { $0 + $1.bytes } }

  /// The parts that are changes of the model.
  var changes: [Int] { uploads.indices.filter { uploads[$0].kind == .change } }

  /// Whether changes are kept apart until all are there.
  var keepsChanges: Bool { rule != nil || isSeenTogether }

  /// Whether a download tells the scalars of the initial model that each client begins with and keeps.
  func sendsOwn(_ kind: DownloadKind) -> Bool { kind == .whole && !startsFromSeed }

  /// Floats of a client's memory in all.
  public var memoryCount: Int { stateCount + residualCount }
}

/// What a client's update weighs in means.
public enum Weighting: String, Sendable, CaseIterable {
  /// Its samples.
  case samples
  /// As much as any other's.
  case clients

  /// The weights of a cohort by its clients' samples.  Equal weights are the clients' common number of samples where they
  /// have one, so that both ways have the same bits.
  func weigh(_ samples: UnsafeBufferPointer<Int>, into weights: UnsafeMutableBufferPointer<Int>) {
    var common = 0
    var isCommon = true
    for count in samples where count > 0 {
      isCommon = isCommon && (common == 0 || count == common)
      common = count
    }
    for (place, count) in samples.enumerated() {
      weights[place] = self == .samples ? count : count == 0 ? 0 : isCommon ? common : 1
    }
  }
}
