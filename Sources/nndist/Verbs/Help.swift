import Configuration
import Training

/// `nndist help [TOPIC]`.
enum Help: Verb {
  static let name = "help"
  static let usage = "help [TOPIC]"
  static let summary = "explains verbs, keys of configurations, exit codes"
  static var details: String {
    "Topics:\n"
      + Layout.glossary(HelpTopic.all.map { ($0.name, $0.summary) } + [("VERB", "what `nndist VERB --help` shows")])
  }
  static let flags: [Flag] = [.json]
  static let words = 0...1

  static func run(_ arguments: Arguments) throws(RunError) -> ExitCode {
    guard let word = arguments.positional.first else {
      show("overview", HelpText.overview, [], arguments)
      return .done
    }
    if let topic = HelpTopic.all.first(where: { $0.name == word }) {
      show(word, topic.text(), topic.keys(), arguments)
      return .done
    }
    if let verb = Verbs.all.first(where: { $0.name == word }) {
      show(word, HelpText.of(verb), [], arguments)
      return .done
    }
    let known = HelpTopic.all.map(\.name) + Verbs.all.map { $0.name }
    let meant = nearest(word, among: known).map { "did you mean `\($0)`?" }
    throw RunError(
      .usage, "there is no help on `\(word)`; \(meant ?? "topics are \(known.joined(separator: ", "))")")
  }

  private static func show(_ topic: String, _ text: String, _ keys: [KeyDescription], _ arguments: Arguments) {
    guard arguments.has(.json) else { return Output.line(text) }
    let list = keys.map { key -> JSONValue in
      [
        "key": .text(key.key), "type": .text(key.type), "range": .text(key.range), "unit": .text(key.unit),
        "default": key.defaultValue.map { .text($0) } ?? nil, "required": .flag(key.isRequired),
        "help": .text(key.help), "choices": .list(key.choices.map { .text($0) }),
      ]
    }
    let object: JSONObject = [
      "verb": .text(name), "topic": .text(topic), "text": .text(text), "keys": .list(list),
    ]
    Output.line(object.text)
  }
}
