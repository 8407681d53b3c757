/// What is wrong with a checkpoint or weights file: one line that names the file and what to do.
public struct CheckpointError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The sort of failure.
  public enum Kind: Sendable {
    /// It is not there.
    case missing
    /// Its bytes are not what was written, or not what the format demands.
    case damaged
    /// It is whole and belongs to another model, optimizer or version.
    case unsuitable
    /// The system refused to write it: the exit code is that of a refusal.
    case unwritable
  }

  /// The sort of failure.
  public let kind: Kind
  /// The whole line.
  public let description: String

  /// An error of a sort with its line.  Control characters are escaped, so that it stays one line.
  public init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description.onOneLine
  }
}
