import Configuration
import Datasets
import Federated
import Layers
import Learning
import Optimizers
import Reporting
import Strategies
import Training

/// The pages of `nndist help` that describe configurations, made from what the readers of configurations declare.
enum ConfigurationPages {
  /// Something that a key can name, with the keys that only it has.
  struct Choice {
    let name: String
    let help: String
    let keys: [KeyDescription]
    /// What stands before each key: `optimizer.`
    let prefix: String
    var note = ""
  }

  // MARK: - Keys

  /// Every key, with those of the choices that stand first.
  static var keys: [KeyDescription] { Experiment.document(choosing: ["data": Catalog.sets[0].name]) + federatedKeys }

  static var ruleKeys: [Choice] {
    choices(of: "optimizer", OptimizerCatalog.rules.map { ($0.name, $0.help) })
  }

  static var scheduleKeys: [Choice] {
    choices(of: "optimizer.schedule", OptimizerCatalog.schedules.map { ($0.name, $0.help) })
  }

  static var strategyKeys: [Choice] {
    choices(of: "strategy", StrategyCatalog.all.map { ($0.name, $0.help) })
  }

  static var learningKeys: [Choice] {
    choices(of: "learning", LearningCatalog.all.map { ($0.name, $0.help) })
  }

  static var dataKeys: [Choice] {
    choices(of: "data", Catalog.sets.map { ($0.name, $0.summary) })
  }

  /// The keys that a choice has and not all others have too.
  static func choices(
    of key: String, _ names: [(name: String, help: String)],
    document: ([String: String]) -> [KeyDescription] = { Experiment.document(choosing: $0) }
  ) -> [Choice] {
    let all = names.map { name, help in (name, help, document([key: name]).filter { $0.key.hasPrefix(key + ".") }) }
    let common = all.dropFirst().reduce(Set(all.first?.2.map(\.key) ?? [])) { $0.intersection($1.2.map(\.key)) }
    return all.map { name, help, keys in
      Choice(
        name: name, help: help, keys: all.count == 1 ? keys : keys.filter { !common.contains($0.key) },
        prefix: key + ".")
    }
  }

  // MARK: - Pages

  static var configuration: String {
    let keys = keys
    var page = """
      \(Terminal.bold("Configuration"))

      \(Layout.wrapped(
        """
        A YAML file. Every key can be given on the command line too, --set training.batch=64, or by a variable, \
        NNDIST_TRAINING__BATCH=64; unknown keys are errors. RUN/config.yaml holds what a run was trained with, defaults \
        filled in.
        """))

        name: fashion
        model: {name: mlp, widths: [512, 512]}
        data: {name: fashion-mnist, validation: 0.1}
        training: {epochs: 5, batch: 128, shards: 4}
        optimizer: {name: sgd, learning-rate: 0.1, momentum: 0.9, schedule: cosine}

      """
    for key in keys where !key.key.contains(".") {
      let inner = keys.filter { $0.key.hasPrefix(key.key + ".") }
      page += "\n" + section(key, inner) + "\n"
    }
    page +=
      "\n"
      + Layout.wrapped(
        "More keys belong to what these name: nndist help models, layers, data-sets, optimizers, strategies, federated, "
          + "partitions.")
    return page
  }

  /// A key of the first level, then those below it.
  private static func section(_ key: KeyDescription, _ inner: [KeyDescription]) -> String {
    let head = Terminal.bold(key.key) + (key.type == "section" ? "  " + Terminal.dim(key.help) : "")
    let own = key.type == "section" ? [] : [explanation(key)].map { Layout.wrapped($0, indent: 2) }
    let prefix = key.key + "."
    let entries = inner.map { (term: String($0.key.dropFirst(prefix.count)), text: explanation($0)) }
    return ([head] + own + (entries.isEmpty ? [] : [Layout.glossary(entries, indent: 4, width: 18)])).joined(
      separator: "\n")
  }

  /// What a key does, and then what may be given: `samples of a batch; whole number of at least 1 (samples), default 128`.
  static func explanation(_ key: KeyDescription) -> String {
    var help = key.help.prefix(1).lowercased() + key.help.dropFirst()
    while help.hasSuffix(".") { help.removeLast() }
    if key.type == "section" || key.type == "value" { return help }
    var kind = key.choices.isEmpty ? key.type : key.choices.joined(separator: " | ")
    // What stands beside a count has no range.
    let never = ", or never"
    let hasNever = kind.hasSuffix(never)
    if hasNever { kind.removeLast(never.count) }
    if !key.range.isEmpty { kind += (key.range.hasPrefix("at ") ? " of " : " ") + grouped(key.range) }
    if hasNever { kind += never }
    if !key.unit.isEmpty, key.choices.isEmpty { kind += " (\(key.unit))" }
    let value = key.defaultValue.map { text in
      if text.count > 1, text.hasPrefix("\""), text.hasSuffix("\"") { return String(text.dropFirst().dropLast()) }
      return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
    // What stands for "no name" is no default that anybody would write.
    let isRequired = key.isRequired || key.choices.last == value && key.key == "data"
    return "\(help)\n\(kind); " + (isRequired ? "required" : value.map { "default \($0)" } ?? "optional")
  }

  /// `from 1 to 1,048,576`
  private static func grouped(_ range: String) -> String {
    range.split(separator: " ").map { word in
      Int(word).map { Numerals.grouped($0) } ?? String(word)
    }.joined(separator: " ")
  }

  static func page(_ title: String, _ introduction: String, _ parts: [(String, [Choice])]) -> String {
    var page = Terminal.bold(title) + "\n\n" + Layout.wrapped(introduction) + "\n"
    for (heading, choices) in parts {
      if !heading.isEmpty { page += "\n" + Terminal.dim(heading) + "\n" }
      for (index, choice) in choices.enumerated() {
        // Neighbours with the same keys share one description of them.
        func names(_ choice: Choice) -> [String] { choice.keys.map { String($0.key.dropFirst(choice.prefix.count)) } }
        let own = names(choice)
        func isSame(_ other: Choice) -> Bool {
          !own.isEmpty && names(other) == own && other.keys.map(\.defaultValue) == choice.keys.map(\.defaultValue)
            && other.keys.map(\.isRequired) == choice.keys.map(\.isRequired)
        }
        let isContinued = index > 0 && isSame(choices[index - 1])
        let continues = index + 1 < choices.count && isSame(choices[index + 1])
        page += (isContinued ? "" : "\n") + Terminal.bold(choice.name)
        if !choice.note.isEmpty { page += "  " + Terminal.dim(choice.note) }
        if !choice.help.isEmpty { page += "\n" + Layout.wrapped(choice.help, indent: 2) }
        let entries = zip(own, choice.keys).map { (term: $0, text: explanation($1)) }
        page += (entries.isEmpty || continues ? "" : "\n" + Layout.glossary(entries, indent: 4, width: 18)) + "\n"
      }
    }
    while page.hasSuffix("\n") { page.removeLast() }
    return page
  }

  static var models: String {
    page(
      "Models",
      """
      `model: resnet20`, `model: {name: mlp, widths: [512, 512]}`, or `model: {layers: […]}`, a list of layers of your own \
      (nndist help layers). With `weights: FILE` training starts from a checkpoint, a run, or a safetensors file, also \
      PyTorch's.
      """,
      [
        (
          "", ModelCatalog.all.map { Choice(name: $0.name, help: $0.help, keys: $0.document(), prefix: "\($0.name).") }
        )
      ])
  }

  static var layers: String {
    page(
      "Layers",
      """
        model: {layers: [{convolution: {channels: 32}}, relu, {max-pool: 2}, flatten, {linear: 10}]}

      A layer is a name, or a name with its keys; for some a bare value stands for one of them. Shapes follow from the data.
      """,
      [
        (
          "",
          LayerCatalog.all.map { kind in
            Choice(
              name: kind.name, help: kind.help, keys: kind.document(), prefix: "\(kind.name).",
              note: kind.shorthand.map { "{\(kind.name): …} is {\(kind.name): {\($0): …}}" } ?? "")
          }
        )
      ])
  }

  static var optimizers: String {
    page(
      "Optimizers",
      """
      `optimizer: {name: sgd, learning-rate: 0.1, schedule: cosine, warmup: 1}`; nndist help config has the keys that all of \
      them share.
      """,
      [("Update rules: optimizer.name", ruleKeys), ("Schedules: optimizer.schedule", scheduleKeys)])
  }

  static var strategies: String {
    page(
      "Strategies",
      """
      `strategy: allreduce`, or `strategy: {name: diloco, period: 50}`, says when and what ranks tell each other.
      """,
      [("", strategyKeys)])
  }

  static var learning: String {
    page(
      "Learning rules",
      """
        learning: {name: dgl, blocks: 4}

      How a batch becomes gradients. Local rules cut the model into blocks, each up to a nonlinearity; `blocks` joins them into \
      fewer. `stages: S` spreads the modules of those that learn one after the other over S ranks, to the same digest. \
      `nndist bench learning CONFIG` compares rules.
      """,
      [("", learningKeys)])
  }

  static var faultKeys: [Choice] {
    FaultCatalog.all.map { kind in
      Choice(
        name: kind.name, help: "\(kind.help)\n  - \(kind.example)", keys: FaultCatalog.document(kind),
        prefix: "\(kind.name).")
    }
  }

  static var faults: String {
    page(
      "Faults on demand",
      """
        faults: [{kill: {rank: 1, step: 40}}, {fill-disk: {step: 60, attempt: 2}}]

      What is to go wrong with a run, for tests: at the same place whether it is trained alone, simulated or on MPI ranks. \
      Faults are no part of the result. Each happens once, by default in the first start of a run only, so that one started \
      again with --resume gets past it; NNDIST_ATTEMPT says which start it is, or else the lines of RUN/receipt.jsonl. What did \
      not come about by the end stands in the log.
      """,
      [("", faultKeys)])
  }

  static var dataSets: String {
    let formats = Experiment.document(choosing: ["data": "files"]).filter {
      $0.key.hasPrefix("data.") && $0.key != "data.format"
    }
    return page(
      "Data sets",
      """
      `data: fashion-mnist`, or `data: {format: csv, path: FILE}`. nndist data list shows which sets are found, nndist data \
      fetch NAME downloads one.
      """,
      [
        (
          "Sets: data.name",
          dataKeys
        ),
        (
          "Files of your own: data.format with data.path",
          Catalog.formats.map { Choice(name: $0.name, help: $0.summary, keys: [], prefix: "") }
            + [
              Choice(
                name: "{format: …, path: …}", help: "each format takes those of these keys that it needs",
                keys: formats,
                prefix: "data.")
            ]
        ),
      ])
  }
}
