/// What a configuration key means, as its reader declares it.
public struct KeyDescription: Sendable, Hashable {
  /// The dotted key: `training.batch`.
  public let key: String
  /// What is expected: `whole number`, `number`, `true or false`, `text`, `name`, `section`, `list of whole numbers`, ….
  public let type: String
  /// The allowed range in words, empty where anything goes.
  public let range: String
  /// The unit, empty where there is none.
  public let unit: String
  /// The default as YAML; nil when the key is required, or absent unless given.
  public let defaultValue: String?
  /// Whether the key must be given.
  public let isRequired: Bool
  /// What the key does, in a sentence.
  public let help: String
  /// The names to choose from, empty where it is no choice.
  public let choices: [String]
}
