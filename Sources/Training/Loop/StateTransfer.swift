import Communication
import Tensors

/// Brings what ranks remember together on rank 0, which writes checkpoints, and back to those it belongs to.
///
/// A block that every rank has whole is rank 0's own.  Cost: each slice that rank 0 lacks travels once.
enum StateTransfer {
  /// Consecutive scalars of a named block.
  struct Slice {
    let key: String
    let range: Range<Int>
    let storage: Storage
  }

  /// Every block with all its scalars; on rank 0, nothing elsewhere.  Collective.
  static func collect(_ mine: [Slice], _ communicator: any Communicator) throws(RunError) -> [Slice] {
    let plan = try Plan(mine, communicator)
    do throws(CommunicationError) {
      guard communicator.rank == 0 else {
        for slice in mine where !plan.isOwn(slice.key) {
          try communicator.send(UnsafeBufferPointer(slice.storage.scalars), to: 0)
        }
        return []
      }
      let whole = plan.room(mine)
      let blocks = Dictionary(uniqueKeysWithValues: whole.map { ($0.key, $0.storage) })
      for slice in mine where !plan.isOwn(slice.key) {
        if let block = blocks[slice.key] {
          (block.base + slice.range.lowerBound).update(from: slice.storage.base, count: slice.range.count)
        }
      }
      for (rank, entries) in plan.entries.enumerated().dropFirst() {
        for entry in entries where !plan.isOwn(entry.key) {
          guard let block = blocks[entry.key] else { continue }
          try communicator.receive(
            UnsafeMutableBufferPointer(rebasing: block.scalars[entry.range]), from: rank)
        }
      }
      return whole
    } catch { throw RunError(error) }
  }

  /// Room on rank 0 for every block with all its scalars: the memory itself where rank 0 has all of it.  Collective.
  static func room(for mine: [Slice], _ communicator: any Communicator) throws(RunError) -> [Slice] {
    let plan = try Plan(mine, communicator)
    return communicator.rank == 0 ? plan.room(mine) : []
  }

  /// Gives every rank the slices that it holds of rank 0's whole blocks.  Collective.
  static func spread(_ whole: [Slice], into mine: [Slice], _ communicator: any Communicator) throws(RunError) {
    let plan = try Plan(mine, communicator)
    do throws(CommunicationError) {
      guard communicator.rank == 0 else {
        for slice in mine { try communicator.receive(slice.storage.scalars, from: 0) }
        return
      }
      let blocks = Dictionary(uniqueKeysWithValues: whole.map { ($0.key, $0.storage) })
      for slice in mine where !plan.isOwn(slice.key) {
        if let block = blocks[slice.key] {
          slice.storage.base.update(from: block.base + slice.range.lowerBound, count: slice.range.count)
        }
      }
      for (rank, entries) in plan.entries.enumerated().dropFirst() {
        for entry in entries {
          guard let block = blocks[entry.key] else { continue }
          try communicator.send(UnsafeBufferPointer(rebasing: block.scalars[entry.range]), to: rank)
        }
      }
    } catch { throw RunError(error) }
  }

  /// Who holds what, known to all ranks.
  private struct Plan {
    struct Entry {
      let key: String
      let range: Range<Int>
    }

    /// By rank, in each rank's order.
    let entries: [[Entry]]
    private let totals: [String: Int]
    private let own: Set<String>

    init(_ mine: [Slice], _ communicator: any Communicator) throws(RunError) {
      let text = mine.map { "\($0.key) \($0.range.lowerBound) \($0.range.upperBound)" }.joined(separator: "\n")
      do throws(CommunicationError) {
        entries = try Agreement.exchange(Array(text.utf8), communicator).map { bytes in
          String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { line in
            let words = line.split(separator: " ")
            return Entry(key: String(words[0]), range: Int(words[1])!..<Int(words[2])!)
          }
        }
      } catch { throw RunError(error) }
      var totals: [String: Int] = [:]
      for entry in entries.joined() { totals[entry.key] = max(totals[entry.key] ?? 0, entry.range.upperBound) }
      self.totals = totals
      own = Set(entries[0].filter { $0.range == 0..<(totals[$0.key] ?? 0) }.map(\.key))
    }

    /// Whether rank 0 has all of a block.
    func isOwn(_ key: String) -> Bool { own.contains(key) }

    /// Every block on rank 0: its own memory, or zeros; in the order of ranks and their slices.
    func room(_ mine: [Slice]) -> [Slice] {
      var seen: Set<String> = []
      return entries.joined().compactMap { entry in
        guard seen.insert(entry.key).inserted, let total = totals[entry.key] else { return nil }
        let storage = mine.first { $0.key == entry.key && isOwn(entry.key) }?.storage ?? Storage(zeros: total)
        return Slice(key: entry.key, range: 0..<total, storage: storage)
      }
    }
  }
}
