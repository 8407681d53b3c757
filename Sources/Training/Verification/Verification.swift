import Communication
import Configuration
import Datasets
import Federated
import Foundation
import Tensors

/// Re-runs a stretch of a run from a checkpoint, or from the beginning, and compares digests with those that the run
/// recorded.  It only reads, takes no lock, and may be used while the run goes on.
public struct Verification {
  /// The run directory.
  public let run: String
  /// The step whose digest is to be confirmed.
  public let target: Int
  /// The latest step that the stretch may begin after.
  private let latestStart: Int
  private let ledger: DigestLedger
  private let receipts: [Receipt]
  private let configuration: Node

  /// What came of it.
  public struct Outcome: Sendable {
    /// Steps that the stretch begins after; 0 for the beginning.
    public var start: Int
    /// The checkpoint that it began from; nil for the beginning.
    public var checkpoint: String?
    /// The last step that was compared.
    public var step: Int
    /// What the run recorded there.
    public var expected: DigestLedger.Entry
    /// What the re-run came to.
    public var found: String
    /// Digests that were compared, that one included.
    public var compared: Int
    /// Seconds of the re-run.
    public var seconds: Double

    /// Whether all digests were those that the run recorded.
    public var isConfirmed: Bool { found == expected.digest }
  }

  /// Finds out what there is to confirm: the first digest recorded at or after a step, from the newest checkpoint before that
  /// step; without a step the last one recorded.
  ///
  /// Errors: `configuration` for a path that is no run, `refused` for a run that recorded nothing yet, `usage` for a step
  /// beyond all digests.  Of a federation the steps are rounds.
  public init(_ path: String, step: Int? = nil) throws(RunError) {
    run = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    guard Files.isFolder(run) else { throw RunError(.configuration, "\(run): no such folder; name a run") }
    guard Files.isFile("\(run)/config.yaml") else {
      throw RunError(.configuration, "\(run) holds no run: config.yaml is missing; name a run's folder")
    }
    let configuration: Node
    do { configuration = try Node.load("\(run)/config.yaml") } catch { throw RunError(error) }
    self.configuration = configuration
    let isFederation = FederatedExperiment.isOne(configuration)
    let ledger = DigestLedger(of: run)
    self.ledger = ledger
    guard let last = ledger.entries.keys.max() else {
      throw RunError(
        .refused,
        "\(run) has recorded no digest yet, so there is nothing to confirm; "
          + (isFederation ? "federated" : "training") + ".digest says how often it does")
    }
    let wanted = step ?? last
    guard let target = ledger.entries.keys.filter({ $0 >= wanted }).min() else {
      throw RunError(
        .usage,
        "--step is \(wanted), but \(run) has recorded no digest after \(isFederation ? "round" : "step") \(last); name that "
          + "or an earlier one")
    }
    self.target = target
    latestStart = wanted - 1
    receipts = Receipt.all(of: run)
  }

  /// Whether the run is one of a federation, whose steps are rounds.
  public var isFederation: Bool { FederatedExperiment.isOne(configuration) }

  /// Re-runs the stretch in this process; `note` hears what should be known about the result.
  ///
  /// `threads`: how many compute, by default as many as a rank of the run had; `program`: what this process is, computing so.
  /// Errors are those of a training.
  public func execute(
    threads: Int? = nil, observers: [any TrainingObserver] = [],
    program: (Compute) throws(RunError) -> ProgramIdentity, note: (String) -> Void
  ) throws(RunError) -> Outcome {
    if isFederation { return try executeFederation(threads, observers, program, note) }
    let prepared = try prepare(threads: threads)
    let loop = try TrainingLoop(prepared, InProcessCommunicator.alone(), observers: observers)
    try requireSense(loop.totalSteps, "steps")
    let checkpoint = try restore(note) { (checkpoint) throws(RunError) in try loop.resume(from: checkpoint) }
    let start = loop.progress.step
    differences(loop.dataDigest(), try program(prepared.compute), from: start).forEach(note)
    var comparison = Comparison(self, from: start, checkpoint)
    let begin = loop.progress.seconds
    try loop.replay(to: target, at: comparison.places) { step, digest in
      comparison.confirm(step, digest, seconds: loop.progress.seconds - begin)
    }
    return try comparison.result()
  }

  private func executeFederation(
    _ threads: Int?, _ observers: [any TrainingObserver], _ program: (Compute) throws(RunError) -> ProgramIdentity,
    _ note: (String) -> Void
  ) throws(RunError) -> Outcome {
    let prepared: PreparedFederation
    do {
      var node = configuration
      if let threads { node = try node.setting("compute.threads", to: "\(threads)", source: "--threads") }
      // Where clients were elsewhere, who was back in time is no function of the configuration.
      let ledger = RunDirectory.ledger(of: run)
      if Files.isFile(ledger) {
        node = try node.setting("federated.participation", to: Node.text(ledger).yaml(), source: "\(run)")
      }
      prepared = try PreparedFederation(try FederatedExperiment(node))
    } catch { throw RunError(error) }
    let loop = try FederatedLoop(prepared, InProcessCommunicator.alone())
    loop.observers = observers
    try requireSense(prepared.task.rounds, "rounds")
    let checkpoint = try restore(note) { (checkpoint) throws(RunError) in
      try loop.resume(from: checkpoint)
    }
    let start = loop.progress.round
    differences(loop.dataDigest(), try program(prepared.task.compute), from: start).forEach(note)
    var comparison = Comparison(self, from: start, checkpoint)
    let begin = loop.progress.seconds
    try loop.replay(to: target, at: comparison.places) { round, digest in
      comparison.confirm(round, digest, seconds: loop.progress.seconds - begin)
    }
    return try comparison.result()
  }

  private func requireSense(_ total: Int, _ units: String) throws(RunError) {
    guard target <= total else {
      throw RunError(
        .configuration,
        "\(run)/config.yaml ends after \(total) \(units), and the run recorded a digest after \(units.dropLast()) \(target): "
          + "it is not the configuration of that \(units.dropLast())")
    }
  }

  /// Digests of a re-run against those that were recorded.
  private struct Comparison {
    private let verification: Verification
    private let start: Int
    private let checkpoint: String?
    private let recorded: [Int: DigestLedger.Entry]
    private var outcome: Outcome?

    init(_ verification: Verification, from start: Int, _ checkpoint: String?) {
      self.verification = verification
      self.start = start
      self.checkpoint = checkpoint
      recorded = verification.ledger.entries.filter { (start...verification.target).contains($0.key) }
    }

    /// Where there is something to compare.
    var places: Set<Int> { Set(recorded.keys) }

    /// Compares a digest; false where it is another one.
    mutating func confirm(_ place: Int, _ digest: String, seconds: Double) -> Bool {
      guard let expected = recorded[place] else { return true }
      let new = Outcome(
        start: start, checkpoint: checkpoint, step: place, expected: expected, found: digest,
        compared: (outcome?.compared ?? 0) + 1, seconds: seconds)
      outcome = new
      return new.isConfirmed
    }

    func result() throws(RunError) -> Outcome {
      if let outcome { return outcome }
      throw RunError(
        .internalError, "the re-run of \(verification.run) did not come to its target, \(verification.target)")
    }
  }

  /// The experiment as the run's ranks had it, whose shards this process computes alone.
  private func prepare(threads: Int?) throws(RunError) -> PreparedExperiment {
    do {
      var node = configuration
      if let shards = receipts.last?.shards ?? checkpointedShards {
        node = try node.setting("training.shards", to: "\(shards)", source: "the run's shards")
      } else if Int(node["training"]?["shards"]?.text ?? "") == nil {
        throw RunError(
          .refused, "\(run) has neither a receipt nor a checkpoint that says into how many shards it cut a batch")
      }
      if node["learning"]?["stages"] != nil {
        node = try node.setting("learning.stages", to: "1", source: "this process has all modules")
      }
      if let threads { node = try node.setting("compute.threads", to: "\(threads)", source: "--threads") }
      return try PreparedExperiment(try Experiment(node))
    } catch { throw RunError(error) }
  }

  private var checkpoints: Checkpoints { Checkpoints("\(run)/checkpoints") }

  private var checkpointedShards: Int? {
    for step in checkpoints.steps.reversed() {
      let path = "\(checkpoints.path(step))/\(CheckpointManifest.fileName)"
      if let shards = (try? CheckpointManifest.read(path))?.progress.counters["shards"] { return Int(shards) }
    }
    return nil
  }

  /// Restores the newest whole checkpoint that the stretch may begin from, and says which; nil for the beginning.
  private func restore(
    _ note: (String) -> Void, _ resume: (Checkpoint) throws(RunError) -> Void
  ) throws(RunError) -> String? {
    for step in checkpoints.steps.reversed() where step <= latestStart {
      let path = checkpoints.path(step)
      let checkpoint: Checkpoint
      do throws(CheckpointError) { checkpoint = try Checkpoint.open(path) } catch {
        // Gone where the run goes on and keeps newer ones only.
        if Files.isFolder(path) { note("\(error.description); it is passed over") }
        continue
      }
      do throws(RunError) { try resume(checkpoint) } catch {
        if Files.isFolder(path), !checkpoint.lacksClients { throw error }
        continue
      }
      return path
    }
    note(
      "no checkpoint is kept from before \(isFederation ? "round" : "step") \(latestStart + 1): the run is made again from its beginning"
    )
    return nil
  }

  /// What is not as it was when the run computed the stretch, a line each.
  private func differences(_ data: String, _ program: ProgramIdentity, from start: Int) -> [String] {
    if receipts.isEmpty {
      return ["the run has no receipt: whether binary, data and instructions are the same is not known"]
    }
    let configuration = Files.text(of: "\(run)/config.yaml").map(Digest.text)
    var found: [String] = []
    for receipt in Receipt.covering(start, target, of: receipts) {
      let other = receipt.program
      var what: [String] = []
      if receipt.configuration != configuration { what.append("another configuration than config.yaml holds now") }
      if receipt.data != data { what.append("other data") }
      if other.binary != program.binary { what.append("another nndist") }
      if other.instructions != program.instructions || other.oneDNNInstructions != program.oneDNNInstructions {
        what.append("other instructions (\(other.oneDNNInstructions), here \(program.oneDNNInstructions))")
      }
      if other.oneDNN != program.oneDNN { what.append("another oneDNN (\(other.oneDNN), here \(program.oneDNN))") }
      if other.openBLAS != program.openBLAS { what.append("another OpenBLAS") }
      if !what.isEmpty {
        found.append("start \(receipt.attempt) had \(what.joined(separator: ", ")): a difference may come from that")
      }
    }
    return found
  }
}
