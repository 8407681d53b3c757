import Communication
import Configuration
import Foundation

/// Where the checkpoints of a run lie, as its ranks see it.
struct CheckpointFolder {
  /// The checkpoints there.
  let checkpoints: Checkpoints
  /// Names this job's unfinished checkpoints.
  let token: String
  /// Ranks that do not see it: rank 0 writes and reads for them.
  let blind: [Bool]

  /// The folder of a run directory, which is rank 0's; nil on all ranks where rank 0 has none.  Leftovers of earlier jobs go.
  /// Collective.
  init?(
    _ directory: RunDirectory?, keep: Int, _ faults: WriteFaults?, _ communicator: any Communicator
  ) throws(RunError) {
    do {
      let mine = directory.map { "\(Files.absolute($0.checkpointsPath))\n\(Checkpoints.newToken())" } ?? ""
      let lines = String(decoding: try Agreement.exchange(Array(mine.utf8), communicator)[0], as: UTF8.self)
        .split(separator: "\n").map(String.init)
      guard lines.count == 2 else { return nil }
      let checkpoints = Checkpoints(lines[0], keep: keep, faults: faults)
      let mark = "\(lines[0])/\(lines[1]).seen"
      try Agreement.together(communicator) { () throws(RunError) in
        guard communicator.rank == 0 else { return }
        checkpoints.removeLeftovers()
        do throws(SystemFailure) { try Files.write("", to: mark) } catch { throw RunError(error) }
      }
      blind = try Agreement.exchange([Files.isFile(mark) ? 0 : 1], communicator).map { $0 == [1] }
      if communicator.rank == 0 { Files.remove(mark) }
      self.checkpoints = checkpoints
      token = lines[1]
    } catch { throw RunError(error) }
  }

  /// A line about ranks that do not see it; nil where all do.
  var note: String? {
    let ranks = blind.indices.filter { blind[$0] }
    if ranks.isEmpty { return nil }
    let names = ranks.map(String.init).joined(separator: ", ")
    return "ranks \(names) do not see the run directory: rank 0 writes their part of checkpoints"
  }

  /// Where the files of a checkpoint are written until all are there.
  func partial(_ step: Int) -> String { checkpoints.partial(step, token: token) }

  /// Refuses a disk without room for so many bytes of tensors.  Collective.
  func requireDisk(bytes: Int, _ communicator: any Communicator) throws(RunError) {
    try Agreement.together(communicator) { () throws(RunError) in
      guard communicator.rank == 0, let free = checkpoints.freeBytes else { return }
      // Headers and the manifest are small beside what is counted.
      let needed = bytes + 1 << 16
      func megabytes(_ bytes: Int) -> String { "\((Double(bytes) / 1e5).rounded(.up) / 10) MB" }
      guard needed > free else { return }
      throw RunError(
        .refused,
        "a checkpoint needs \(megabytes(needed)), and the disk of \(checkpoints.directory) has room for "
          + "\(megabytes(free)); free some space or choose another --run")
    }
  }

  /// The newest whole checkpoint, on rank 0, and what was noticed on the way to it.  Collective.
  func newest(
    _ resolved: Node, beginning: String, _ communicator: any Communicator
  ) throws(RunError) -> (checkpoint: Checkpoint?, notes: [String]) {
    try Agreement.together(communicator) { () throws(RunError) -> (Checkpoint?, [String]) in
      guard communicator.rank == 0 else { return (nil, []) }
      var (found, notes) = checkpoints.newestValid(setsAside: true)
      guard let found else { return (nil, notes + ["no usable checkpoint: \(beginning) from the beginning"]) }
      if let before = try? Node.parse(found.manifest.configuration, file: CheckpointManifest.fileName) {
        let changed = ConfigurationChanges.mattering(before, resolved)
        if !changed.isEmpty {
          notes.append(
            "goes on with another \(changed.joined(separator: ", ")) than it began with: a run of this configuration alone "
              + "comes to another result")
        }
      }
      return (found, notes)
    }
  }
}

/// A checkpoint that rank 0 has opened, as all ranks read it.
struct SharedCheckpoint {
  /// How far the training was.
  let progress: TrainingProgress
  /// Ranks that do not see it.
  private let blind: [Bool]
  /// What is remembered beside the model, for ranks that see it.
  private let state: CheckpointState?
  private let communicator: any Communicator

  /// Tells all ranks of it; nil on all where rank 0 has none.  Collective.
  init?(_ found: Checkpoint?, _ communicator: any Communicator) throws(RunError) {
    self.communicator = communicator
    do {
      let mine = try found.map { [UInt8](try JSONEncoder().encode($0.progress)) } ?? []
      let path = found.map { Array(Files.absolute($0.directory).utf8) } ?? []
      let root = try Agreement.exchange(mine, communicator)[0]
      let place = String(decoding: try Agreement.exchange(path, communicator)[0], as: UTF8.self)
      if root.isEmpty { return nil }
      progress = try JSONDecoder().decode(TrainingProgress.self, from: Data(root))
      let isBlind = !Files.isFile("\(place)/\(CheckpointManifest.fileName)")
      blind = try Agreement.exchange([isBlind ? 1 : 0], communicator).map { $0 == [1] }
      state = try Agreement.together(communicator) { () throws(RunError) -> CheckpointState? in
        do throws(CheckpointError) { return isBlind ? nil : try Checkpoint.unverified(place).state() } catch {
          throw RunError(error)
        }
      }
    } catch { throw RunError(error) }
  }

  /// Fills parts with what the checkpoint holds of them.  Collective.
  func fill(_ parts: [CheckpointPart]) throws(RunError) {
    try Agreement.together(communicator) { () throws(RunError) in
      guard let state, !blind[communicator.rank] else { return }
      do throws(CheckpointError) {
        for part in parts {
          try state.read(part.name, part.range, into: UnsafeMutablePointer(mutating: part.floats))
        }
      } catch { throw RunError(error) }
    }
    var failure: CheckpointError?
    try PartTransfer.deliver(parts, blind: blind, communicator) { name, range, target in
      do throws(CheckpointError) { try state?.read(name, range, into: target) } catch { failure = error }
    }
    try Agreement.together(communicator) { () throws(RunError) in if let failure { throw RunError(failure) } }
  }
}
