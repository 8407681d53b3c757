/// Where a configuration value was written.
public struct Place: Sendable, Hashable, CustomStringConvertible {
  /// The file as the user named it; `--set` for flags, the variable's name for the environment, empty for built nodes.
  public let file: String
  /// The line in the file, from 1; 0 where lines mean nothing (flags, the environment, built nodes).
  public let line: Int

  /// The place in a file, or in what has no lines when `line` is 0.
  public init(file: String, line: Int = 0) {
    self.file = file
    self.line = line
  }

  /// The place of a value that stands in no file.
  public static let nowhere = Place(file: "")

  /// `configs/a.yaml:12`, `--set`, or nothing for a built node.
  public var description: String {
    file.isEmpty || line == 0 ? file : "\(file):\(line)"
  }
}
