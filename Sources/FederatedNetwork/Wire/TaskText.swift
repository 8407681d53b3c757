/// What a server tells of its task.
enum TaskText {
  /// The longest that a client takes, in bytes.
  static let longest = 1 << 20
}
