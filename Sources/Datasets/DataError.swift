/// What went wrong with data outside the program: one line that names the file and what to do.
public struct DataError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The sort of failure, for callers that react to one.
  public enum Kind: Sendable {
    /// A file or set is not there.
    case missing
    /// A file is there and its bytes are not what its format demands.
    case malformed
    /// The operating system refused to read.
    case unreadable
    /// The operating system refused to write.
    case unwritable
    /// A download failed.
    case network
    /// A download arrived whole and its checksum is another.
    case checksum
    /// The data are well formed and cannot be used as asked.
    case unsuitable
  }

  /// The sort of failure.
  public let kind: Kind
  /// The whole line.
  public let description: String

  /// An error of a sort with its line.
  public init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }

  /// A file whose bytes are not what its format demands.
  static func malformed(_ path: String, _ fault: String) -> DataError {
    DataError(.malformed, "\(path): \(fault)")
  }
}
