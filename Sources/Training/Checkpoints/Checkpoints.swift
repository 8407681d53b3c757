import Configuration
import Datasets
import Glibc
import Tensors

/// The checkpoints of a run: `step-N` directories, and the links `last` and `best` beside them.
///
/// A checkpoint is written as `step-N.TOKEN.partial` by as many writers as there are, synced and renamed, so that whatever
/// happens at whatever moment leaves whole ones only; older ones are removed after that.  The token is the job's own, so
/// that ranks of an earlier job that are still dying write elsewhere.  One process commits: the holder of the run's lock.
public struct Checkpoints: Sendable {
  /// The folder.
  public let directory: String
  /// How many to keep beside the best one; nil keeps all.
  public let keep: Int?
  let faults: WriteFaults?

  /// The checkpoints in a folder, which need not exist yet.  `faults` may let writes fail.
  public init(_ directory: String, keep: Int? = nil, faults: WriteFaults? = nil) {
    precondition(keep ?? 1 >= 1, "keeping \(keep ?? 0) checkpoints")
    self.directory = directory
    self.keep = keep
    self.faults = faults
  }

  /// What a checkpoint is about, known before its files are written.
  public struct Head: Sendable {
    /// How far the training is.
    public var progress: TrainingProgress
    /// What the model is called.
    public var model: String
    /// The seed of the run.
    public var seed: Int
    /// The resolved configuration.
    public var configuration: Node

    /// Everything that a checkpoint says about itself.
    public init(progress: TrainingProgress, model: String, seed: Int, configuration: Node) {
      self.progress = progress
      self.model = model
      self.seed = seed
      self.configuration = configuration
    }

    /// What every file says about itself.
    var metadata: [String: String] {
      [
        "format": "pt", "nndist_format": "\(CheckpointManifest.currentFormat)", "model": model,
        "step": "\(progress.step)", "epoch": "\(progress.epoch)",
      ]
    }
  }

  /// Steps that have a directory, ascending, whether it is whole or not.
  public var steps: [Int] {
    Files.names(in: directory).compactMap(Checkpoints.step).sorted()
  }

  /// The directory of a step.
  public func path(_ step: Int) -> String { "\(directory)/step-\(step)" }

  /// The step that a link, `best` or `last`, points to.
  public func linked(_ name: String) -> Int? {
    Files.target(of: "\(directory)/\(name)").flatMap(Checkpoints.step)
  }

  /// The number in `step-12`.
  private static func step(_ name: String) -> Int? {
    guard name.hasPrefix("step-"), let step = Int(name.dropFirst(5)), step >= 0, "step-\(step)" == name else {
      return nil
    }
    return step
  }

  // MARK: - Reading

  /// The newest checkpoint that is whole, and a line for each newer one that is not.  Each is read once to verify it.
  ///
  /// `setsAside` renames the damaged ones, for whoever holds the run's lock: their steps will be written again.
  public func newestValid(setsAside: Bool = false) -> (checkpoint: Checkpoint?, warnings: [String]) {
    var warnings = Files.names(in: directory).filter { $0.hasPrefix("step-") && $0.hasSuffix(".partial") }
      .map { "\(directory)/\($0) was never finished; it is passed over" }
    for step in steps.reversed() {
      do throws(CheckpointError) { return (try Checkpoint.open(path(step)), warnings) } catch {
        var action = "it is passed over"
        if setsAside, error.kind == .damaged || error.kind == .missing {
          let aside = path(step) + ".damaged"
          Files.remove(aside)
          if rename(path(step), aside) == 0 { action = "it is set aside as step-\(step).damaged" }
        }
        warnings.append("\(error.description); \(action)")
      }
    }
    return (nil, warnings)
  }

  /// A name that no other job has.
  static func newToken() -> String { String(UInt32.random(in: 0 ... .max), radix: 16) }

  // MARK: - Writing

  /// Where the files of a step are written until all are there.
  func partial(_ step: Int, token: String) -> String { "\(path(step)).\(token).partial" }

  /// Bytes that the disk has room for; nil where the system does not say.
  var freeBytes: Int? { Files.freeBytes(at: directory) }

  /// Writes a whole checkpoint at once, from one writer.
  @discardableResult
  public func write(
    _ head: Head, model: ParameterStore, parts: [CheckpointPart], isBest: Bool = false
  ) throws(CheckpointError) -> Checkpoint {
    let partial = partial(head.progress.step, token: "0")
    do throws(CheckpointError) {
      try make(partial)
      let share = try CheckpointShare.write(parts, model: model, file: "state-0", of: head, to: partial, faults)
      return try commit(head, [share], partial: partial, isBest: isBest)
    } catch {
      Files.remove(partial)
      throw error
    }
  }

  /// Makes the folder that files are written to.
  func make(_ partial: String) throws(CheckpointError) {
    do throws(SystemFailure) { try Files.makeFolders(partial) } catch {
      throw CheckpointError(.unwritable, error.message)
    }
  }

  /// Turns the files of all writers into a checkpoint: writes the manifest, gives the folder its name, points `last` (and
  /// `best`, if it is) to it, then removes those that are too old; the best never goes.  It has reached the disk when this
  /// returns.  Errors: `unwritable`, with all earlier checkpoints as they were.
  @discardableResult
  func commit(
    _ head: Head, _ shares: [CheckpointShare], partial: String, isBest: Bool
  ) throws(CheckpointError) -> Checkpoint {
    let step = head.progress.step
    precondition(head.progress.isSound, "a checkpoint of \(head.progress)")
    let manifest = CheckpointManifest(
      format: CheckpointManifest.currentFormat, model: head.model, seed: head.seed, progress: head.progress,
      parametersDigest: shares.compactMap(\.parametersDigest).first ?? "", configuration: head.configuration.yaml(),
      files: shares.flatMap(\.files), pieces: shares.flatMap(\.pieces))
    let final = path(step)
    do throws(SystemFailure) {
      try Files.write(manifest.text, to: "\(partial)/\(CheckpointManifest.fileName)", faults, checkpoint: step)
      // A directory of this step that was found damaged, or that nobody reads any more, makes room.
      if Files.kind(of: final) != nil {
        guard rename(final, final + ".replaced") == 0 else { throw SystemFailure("rename", final) }
      }
      guard rename(partial, final) == 0 else {
        let failure = SystemFailure("rename", partial)
        rename(final + ".replaced", final)
        throw failure
      }
      try Files.sync(directory)
      try Files.link("\(directory)/last", to: "step-\(step)")
      if isBest { try Files.link("\(directory)/best", to: "step-\(step)") }
    } catch {
      throw CheckpointError(.unwritable, error.message)
    }
    removeOld(present: step)
    removeLeftovers()
    return Checkpoint(directory: final, manifest: manifest)
  }

  /// Removes checkpoints older than the newest `keep` up to the present one.  Renamed first, so that a half-removed one is not
  /// taken for a damaged one.
  private func removeOld(present: Int) {
    guard let keep else { return }
    let best = linked("best")
    for step in steps.filter({ $0 <= present }).dropLast(keep) where step != best {
      if rename(path(step), path(step) + ".removed") == 0 { Files.remove(path(step) + ".removed") }
    }
  }

  /// Removes what interrupted writers left behind; damaged ones that were set aside stay.
  func removeLeftovers() {
    for name in Files.names(in: directory) {
      let path = "\(directory)/\(name)"
      if name.hasSuffix(".replaced"), Files.kind(of: String(path.dropLast(9))) == nil {
        // Interrupted between the two renames: the old one is all there is of this step.
        rename(path, String(path.dropLast(9)))
      } else if [".partial", ".replaced", ".removed", ".seen"].contains(where: name.hasSuffix) {
        Files.remove(path)
      }
    }
  }
}
