import Communication
import Foundation
import Tensors

/// Brings parts of ranks that do not see the run directory to rank 0, which writes them, and back.
///
/// Cost: such a part travels once; all ranks exchange a line about each.
package enum PartTransfer {
  /// On rank 0: the parts of all ranks that do not see the directory, in memory of `room`.  Collective.
  package static func collect(
    _ parts: [CheckpointPart], blind: [Bool], _ communicator: any Communicator
  ) throws(RunError) -> (parts: [CheckpointPart], room: [Storage]) {
    var received: [CheckpointPart] = []
    var room: [Storage] = []
    try each(parts, blind, communicator) { (part) throws(CommunicationError) in
      try communicator.send(UnsafeBufferPointer(start: part.floats, count: part.range.count), to: 0)
    } arrive: { (rank, piece) throws(CommunicationError) in
      let storage = Storage(zeros: piece.count)
      try communicator.receive(storage.scalars, from: rank)
      room.append(storage)
      received.append(
        CheckpointPart(name: piece.name, shape: Shape(piece.shape), range: piece.range, floats: storage.base))
    }
    return (received, room)
  }

  /// Fills the parts of ranks that do not see the directory with what rank 0 reads.  Collective.
  package static func deliver(
    _ parts: [CheckpointPart], blind: [Bool], _ communicator: any Communicator,
    read: (_ name: String, _ range: Range<Int>, _ target: UnsafeMutablePointer<Float>) -> Void
  ) throws(RunError) {
    try each(parts, blind, communicator) { (part) throws(CommunicationError) in
      let target = UnsafeMutableBufferPointer(
        start: UnsafeMutablePointer(mutating: part.floats), count: part.range.count)
      try communicator.receive(target, from: 0)
    } arrive: { (rank, piece) throws(CommunicationError) in
      let storage = Storage(zeros: piece.count)
      read(piece.name, piece.range, storage.base)
      try communicator.send(UnsafeBufferPointer(storage.scalars), to: rank)
    }
  }

  /// Calls `own` for each part on the rank that has it, and `arrive` on rank 0 in the same order.
  private static func each(
    _ parts: [CheckpointPart], _ blind: [Bool], _ communicator: any Communicator,
    own: (CheckpointPart) throws(CommunicationError) -> Void,
    arrive: (Int, CheckpointPiece) throws(CommunicationError) -> Void
  ) throws(RunError) {
    guard blind.contains(true) else { return }
    do {
      let mine = blind[communicator.rank] ? parts : []
      let text = try JSONEncoder().encode(mine.map { CheckpointPiece($0, in: "") })
      let all = try Agreement.exchange([UInt8](text), communicator)
      for part in mine { try own(part) }
      guard communicator.rank == 0 else { return }
      for (rank, bytes) in all.enumerated() {
        for piece in try JSONDecoder().decode([CheckpointPiece].self, from: Data(bytes)) { try arrive(rank, piece) }
      }
    } catch { throw RunError(error) }
  }
}
