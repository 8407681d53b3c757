import Communication
import Glibc

/// Consecutive ranks that stand close to each other.
public enum RankGroups {
  /// As few groups as keep to a size, alike to within one rank.
  public static func groups(of ranks: Int, size: Int) -> [Range<Int>] {
    precondition(ranks > 0 && size > 0, "groups of \(size) of \(ranks) ranks")
    let number = (ranks + size - 1) / size
    return (0..<number).map { ($0 * ranks / number)..<(($0 + 1) * ranks / number) }
  }

  /// Neighbours that run on one host, by the host's name.  A host whose ranks are not consecutive makes several groups.
  /// Collective.
  public static func hosts(_ communicator: any Communicator) throws(CommunicationError) -> [Range<Int>] {
    let length = 256
    let names = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: length * (communicator.size + 1))
    defer { names.deallocate() }
    names.initialize(repeating: 0)
    let own = UnsafeMutableBufferPointer(rebasing: names[(length * communicator.size)...])
    own.withMemoryRebound(to: CChar.self) { _ = gethostname($0.baseAddress!, length - 1) }
    try communicator.allGather(
      UnsafeBufferPointer(own), into: UnsafeMutableBufferPointer(rebasing: names[..<(length * communicator.size)]))
    func name(_ rank: Int) -> Slice<UnsafeMutableBufferPointer<UInt8>> { names[length * rank..<length * (rank + 1)] }
    let starts = (0..<communicator.size).filter { $0 == 0 || !name($0).elementsEqual(name($0 - 1)) }
    return zip(starts, starts.dropFirst() + [communicator.size]).map { $0..<$1 }
  }
}
