import Configuration
import Training

/// A flag that a verb knows.
struct Flag: Sendable {
  let name: String
  /// What its value is called; nil for a flag without one. A name of two words takes two: `KEY VALUE`.
  let value: String?
  let help: String
  let repeats: Bool
  /// A name of one letter: `-o`.
  let short: String?

  init(_ name: String, _ value: String? = nil, _ help: String, repeats: Bool = false, short: String? = nil) {
    self.name = name
    self.short = short
    self.value = value
    self.help = help
    self.repeats = repeats
  }

  /// Flags that most verbs share.
  static let set = Flag("--set", "KEY=VALUE", "overrides a key of the configuration; repeatable", repeats: true)
  static let run = Flag("--run", "DIR", "the run directory (default runs/<name>-<time>)")
  static let resume = Flag("--resume", nil, "continues the run in --run from its newest checkpoint")
  static let json = Flag("--json", nil, "prints one JSON object as the last line of standard output")
  static let quiet = Flag("--quiet", nil, "no progress on standard error")
}

/// The words after the verb, taken apart and checked against what the verb knows.
struct Arguments: Sendable {
  /// Words that are no flags.
  let positional: [String]
  /// Those of them that stand behind `--`; nil where there is no `--`.
  let behindDashes: [String]?
  private let values: [String: [String]]

  /// Throws (exit 2) for unknown flags, missing or unwanted values, and too few or too many words.
  init(_ words: [String], verb: any Verb.Type) throws(RunError) {
    var positional: [String] = []
    var values: [String: [String]] = [:]
    var rest = words[...]
    var behindDashes: [String]?
    while let word = rest.popFirst() {
      if word == "--" {
        behindDashes = Array(rest)
        positional += rest
        break
      }
      if !word.hasPrefix("-") || word == "-" {
        positional.append(word)
        continue
      }
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard let flag = verb.flags.first(where: { $0.name == parts[0] || $0.short == parts[0] }) else {
        let known = verb.flags.map(\.name)
        let meant = nearest(parts[0], among: known).map { "did you mean \($0)?" }
        throw RunError(.usage, "\(verb.name) has no flag \(parts[0]); " + (meant ?? "see nndist help \(verb.name)"))
      }
      if values[flag.name] != nil, !flag.repeats { throw RunError(.usage, "\(flag.name) is given twice") }
      if flag.value == nil {
        guard parts.count == 1 else { throw RunError(.usage, "\(flag.name) takes no value") }
        values[flag.name, default: []].append("")
      } else if parts.count == 2 {
        values[flag.name, default: []].append(parts[1])
      } else if case let count = flag.value?.split(separator: " ").count ?? 1, rest.count >= count,
        !rest.prefix(count).contains("--")
      {
        values[flag.name, default: []].append(rest.prefix(count).joined(separator: " "))
        rest = rest.dropFirst(count)
      } else {
        throw RunError(.usage, "\(flag.name) needs a value: \(flag.name) \(flag.value ?? "")")
      }
    }
    guard verb.words.contains(positional.count) else {
      let found = positional.isEmpty ? "none is given" : "given: \(positional.joined(separator: " "))"
      throw RunError(.usage, "expected `nndist \(verb.usage)`; \(found)")
    }
    self.positional = positional
    self.behindDashes = behindDashes
    self.values = values
  }

  /// Whether a flag was given.
  func has(_ flag: Flag) -> Bool { values[flag.name] != nil }

  /// The value of a flag.
  func value(_ flag: Flag) -> String? { values[flag.name]?.last }

  /// The values of a flag that may repeat.
  func all(_ flag: Flag) -> [String] { values[flag.name] ?? [] }

  /// Seconds, from zero; throws (exit 2) for anything else.
  func seconds(_ flag: Flag) throws(RunError) -> Double? {
    guard let text = value(flag) else { return nil }
    guard let number = Double(text), number >= 0, number < 1e9 else {
      throw RunError(.usage, "\(flag.name) is `\(text)`; expected a number of seconds, such as 30")
    }
    return number
  }

  /// A whole number of a range; throws (exit 2) for anything else.
  func integer(_ flag: Flag, in range: ClosedRange<Int>) throws(RunError) -> Int? {
    guard let text = value(flag) else { return nil }
    guard let number = Int(text), range.contains(number) else {
      throw RunError(
        .usage, "\(flag.name) is `\(text)`; expected a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }
}
