import Communication
import Configuration
import Datasets
import Federated
import Foundation
import Layers
import Tensors

/// Writes and restores the state of a federation: the broadcast, what the server remembers, and what clients do.  All ranks
/// call it together, between rounds.
///
/// Folders are those of a training, `step-N` after round N.  A client's state is the tensor `client/K`; it is written by the
/// rank that has it, a stretch of clients at a time, so that what lies in a file need not fit into memory, and is read by the
/// rank that will have it.
package final class FederatedKeeper {
  private let prepared: PreparedFederation
  private let communicator: any Communicator
  private var folder: CheckpointFolder?
  private var savedRound: Int?
  private var began = monotonicSeconds()
  private let stretchBytes: Int

  /// Keeps nothing until it is told where.  So many bytes of clients' states are written and read at a time.
  package init(_ prepared: PreparedFederation, _ communicator: any Communicator, stretchBytes: Int = 32 << 20) {
    self.prepared = prepared
    self.communicator = communicator
    self.stretchBytes = stretchBytes
  }

  // MARK: Where

  /// Keeps checkpoints in the directory of a run, which is rank 0's.  Refuses a disk without room for one.
  package func keep(in directory: RunDirectory?, _ engine: FederatedEngine, _ faults: WriteFaults?) throws(RunError) {
    folder = try CheckpointFolder(directory, keep: prepared.experiment.checkpoint.keep, faults, communicator)
    guard let folder else { return }
    let shares = try CheckpointShares(engine.parts, model: engine.broadcast.model, communicator)
    try folder.requireDisk(bytes: shares.bytes, communicator)
    began = monotonicSeconds()
  }

  /// What is to be told about the folder.
  var note: String? { folder?.note }

  /// Whether so much time has passed since the last checkpoint, or since the federation began.
  func isOverdue(_ interval: Quantity?) -> Bool {
    guard let interval, interval.unit == CheckpointOptions.clockUnit else { return false }
    return monotonicSeconds() - began >= 60 * Double(interval.count)
  }

  // MARK: Saving

  /// Writes a checkpoint, unless this round has one already, and says what it took; parameters that are not finite never
  /// replace good ones.
  package func save(_ progress: TrainingProgress, _ engine: FederatedEngine) throws(RunError) -> CheckpointRecord? {
    guard let folder, savedRound != progress.step else { return nil }
    let model = engine.broadcast.model
    guard Reductions.squares(model.parameters.base, model.parameters.count).isFinite else {
      throw RunError(
        .diverged, "the parameters after round \(progress.step) are not finite; the checkpoints before are kept")
    }
    began = monotonicSeconds()
    let shares = try CheckpointShares(engine.parts, model: model, communicator)
    let mine = engine.states?.clients ?? []
    let counts = try known(mine.count)
    let bytes = shares.bytes + 4 * counts.reduce(0, +) * (engine.states?.floats ?? 0)
    try folder.requireDisk(bytes: bytes, communicator)
    savedRound = progress.step
    let head = Checkpoints.Head(
      progress: progress, model: prepared.task.model.name, seed: Int(prepared.experiment.seed),
      configuration: prepared.resolved)
    let partial = folder.partial(progress.step)
    do throws(RunError) {
      var share = try write(shares.own(engine.parts), model, engine.server.results, "state", head, folder)
      if let states = engine.states {
        let stretch = max(1, stretchBytes / (4 * states.floats))
        let room = Storage(zeros: min(stretch, mine.count) * states.floats)
        for first in stride(from: 0, to: counts.max() ?? 0, by: stretch) {
          let clients = mine.dropFirst(first).prefix(stretch)
          let parts = FederatedKeeper.parts(clients, states.floats, room)
          try Agreement.together(communicator) { () throws(RunError) in
            do throws(FederatedError) {
              for (client, part) in zip(clients, parts) {
                _ = try states.read(client, into: UnsafeMutablePointer(mutating: part.floats))
              }
            } catch { throw RunError(error) }
          }
          share = share + (try write(parts, nil, [], "\(FederatedKeeper.clientsFile)\(first / stretch)", head, folder))
        }
      }
      let all = try CheckpointShare.gather(share, communicator)
      try Agreement.together(communicator) { () throws(RunError) in
        guard communicator.rank == 0 else { return }
        do throws(CheckpointError) {
          try folder.checkpoints.commit(head, all, partial: partial, isBest: false)
        } catch { throw RunError(error) }
      }
    } catch {
      if communicator.rank == 0 { Files.remove(partial) }
      throw error
    }
    let seconds = monotonicSeconds() - began
    return CheckpointRecord(step: progress.step, bytes: bytes, stalledSeconds: seconds, seconds: seconds, isRound: true)
  }

  /// Writes this rank's parts, and on rank 0 the model where there is one, and the parts of ranks that do not see the folder.
  private func write(
    _ parts: [CheckpointPart], _ model: ParameterStore?, _ results: [Storage], _ file: String,
    _ head: Checkpoints.Head, _ folder: CheckpointFolder
  ) throws(RunError) -> CheckpointShare {
    let rank = communicator.rank
    let theirs = try PartTransfer.collect(parts, blind: folder.blind, communicator)
    return try Agreement.together(communicator) { () throws(RunError) -> CheckpointShare in
      guard !folder.blind[rank] else { return .empty }
      do throws(CheckpointError) {
        let partial = folder.partial(head.progress.step)
        try folder.checkpoints.make(partial)
        return try withExtendedLifetime(theirs.room) { () throws(CheckpointError) -> CheckpointShare in
          try CheckpointShare.write(
            parts + theirs.parts, model: rank == 0 ? model : nil, then: results, file: "\(file)-\(rank)", of: head,
            to: partial, folder.checkpoints.faults)
        }
      } catch { throw RunError(error) }
    }
  }

  /// Every rank's number.
  private func known(_ number: Int) throws(RunError) -> [Int] {
    do throws(CommunicationError) {
      return try Agreement.exchange(Array("\(number)".utf8), communicator).map {
        Int(String(decoding: $0, as: UTF8.self)) ?? 0
      }
    } catch { throw RunError(error) }
  }

  /// The states of clients as parts, one after the other in `room`.
  private static func parts(
    _ clients: ArraySlice<Int>, _ floats: Int, _ room: Storage
  ) -> [CheckpointPart] {
    clients.enumerated().map { place, client in
      CheckpointPart(name: "\(clientPrefix)\(client)", shape: [floats], floats: room.base + place * floats)
    }
  }

  /// What names of files of clients' states begin with.
  private static let clientsFile = "clients-"

  /// Whether a file of a checkpoint holds clients' states and nothing else.
  static func holdsClients(_ file: String) -> Bool { file.hasPrefix(clientsFile) }

  /// What names of clients' states begin with.
  private static let clientPrefix = "client/"

  // MARK: Restoring

  /// Restores the newest whole checkpoint and says how far it was: nil where there is none.  Also says what was noticed on the
  /// way.
  package func restore(_ engine: FederatedEngine) throws(RunError) -> (progress: TrainingProgress?, notes: [String]) {
    guard let folder else { return (nil, []) }
    let newest = try folder.newest(prepared.resolved, beginning: "the federation starts", communicator)
    let progress = try restore(engine, from: newest.checkpoint)
    savedRound = progress?.step
    return (progress, newest.notes)
  }

  /// Restores a checkpoint that rank 0 has opened, wherever it lies; nil everywhere where rank 0 has none.
  func restore(
    _ engine: FederatedEngine, from found: Checkpoint?, withClients: Bool = true
  ) throws(RunError) -> TrainingProgress? {
    guard let shared = try SharedCheckpoint(found, communicator) else { return nil }
    let model = engine.broadcast.model
    let shares = try CheckpointShares(engine.parts, model: model, communicator)
    let mine = try Agreement.together(communicator) { () throws(RunError) -> [Int] in
      guard let found else { return [] }
      do throws(CheckpointError) {
        let clients = try FederatedKeeper.clients(of: found, engine)
        var wanted = shares.tensors
        for client in clients {
          wanted["\(FederatedKeeper.clientPrefix)\(client)"] = Shape([engine.plan.memoryCount])
        }
        guard FederatedProgress.isOne(found.progress) else {
          throw CheckpointError(
            .unsuitable,
            "\(found.directory) is no checkpoint of a federation; name another --run, or leave out federated")
        }
        guard !withClients || engine.states == nil || engine.remote != nil || !found.lacksClients else {
          throw CheckpointError(
            .unsuitable,
            "\(found.directory) is a server's, whose clients keep what they remember; go on with it by nndist server")
        }
        try found.require(model.layout, wanted)
        try found.load(into: model)
        return clients
      } catch { throw RunError(error) }
    }
    do {
      if communicator.size > 1 {
        for storage in [model.parameters, model.states] where storage.count > 0 {
          try communicator.broadcast(storage.scalars, root: 0)
        }
      }
      try shared.fill(engine.parts)
      guard let states = engine.states, withClients else { return shared.progress }
      states.removeAll()
      let text = try Agreement.exchange(mine.withUnsafeBytes { Array($0) }, communicator)[0]
      let all = text.withUnsafeBytes { Array($0.bindMemory(to: Int.self)) }
      try restore(all, into: states, shared)
    } catch { throw RunError(error) }
    return shared.progress
  }

  /// Gives this rank's clients what they remembered.
  private func restore(_ all: [Int], into states: ClientStates, _ shared: SharedCheckpoint) throws(RunError) {
    let ranks = communicator.size
    var counts = [Int](repeating: 0, count: ranks)
    for client in all { counts[client % ranks] += 1 }
    let mine = all.filter { $0 % ranks == communicator.rank }
    let stretch = max(1, stretchBytes / (4 * states.floats))
    let room = Storage(zeros: min(stretch, mine.count) * states.floats)
    for first in stride(from: 0, to: counts.max() ?? 0, by: stretch) {
      let clients = mine.dropFirst(first).prefix(stretch)
      let parts = FederatedKeeper.parts(clients, states.floats, room)
      try shared.fill(parts)
      try Agreement.together(communicator) { () throws(RunError) in
        do throws(FederatedError) {
          for (client, part) in zip(clients, parts) { try states.write(client, from: part.floats) }
        } catch { throw RunError(error) }
      }
    }
  }

  /// Clients of whom a checkpoint holds a state, ascending.
  private static func clients(of checkpoint: Checkpoint, _ engine: FederatedEngine) throws(CheckpointError) -> [Int] {
    guard engine.states != nil else { return [] }
    return try checkpoint.state().names.compactMap { name in
      name.hasPrefix(clientPrefix) ? Int(name.dropFirst(clientPrefix.count)) : nil
    }.filter { engine.task.partition.clients > $0 && $0 >= 0 }.sorted()
  }
}

extension FederatedEngine {
  /// What the future depends on beside the model and what clients remember, without what is empty: the same on every rank.
  fileprivate var parts: [CheckpointPart] {
    memory.filter { $0.storage.count > 0 }.map {
      CheckpointPart(name: $0.name, shape: [$0.storage.count], floats: $0.storage.base)
    }
  }
}
