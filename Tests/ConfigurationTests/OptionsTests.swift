import Configuration
import Testing

/// A reader of the shape that all modules write.
struct Experiment: Equatable {
  var name = ""
  var seed = 0
  var epochs: Int?
  var batch = 0
  var optimizer = ""
  var learningRate = 0.0
  var momentum = 0.0
  var widths: [Int] = []
  var every = Quantity(1, "epoch")
  var nesterov = false
  var schedule = ""

  init(_ options: inout Options) throws(ConfigurationError) {
    name = try options.text("name", default: "run", "The run's name.")
    seed = try options.integer("seed", default: 1, "Seeds every random number.")
    try options.section("training", "How long.") { (training) throws(ConfigurationError) in
      epochs = try training.optionalInteger("epochs", in: 1...Int.max, "Passes over the data.")
      batch = try training.integer("batch", in: 1...Int.max, unit: "samples", "The global batch.")
      try training.require(epochs != nil, "training needs epochs")
    }
    optimizer = try options.named("optimizer", of: ["sgd", "adam"], default: "sgd", "The update rule.") {
      (name, rule) throws(ConfigurationError) in
      learningRate = try rule.number("learning-rate", in: .positive, unit: "1/step", "The step's length.")
      if name == "sgd" {
        momentum = try rule.number("momentum", default: 0, in: .fractionBelowOne, "Decay of the velocity.")
        nesterov = try rule.flag("nesterov", default: false, "Looks ahead.")
      }
      schedule = try rule.choice("schedule", of: ["constant", "cosine"], default: "constant", "The rate's course.")
      return name
    }
    widths = try options.integers("widths", default: [512, 512], in: 1...4096, unit: "features", "Hidden layers.")
    every = try options.quantity(
      "every", in: ["epoch", "step"], default: Quantity(1, "epoch"), "How often to write a checkpoint.")
  }

  static func read(_ yaml: String) throws(ConfigurationError) -> (experiment: Experiment, resolved: Node) {
    var options = Options(try Node.parse(yaml, file: "a.yaml"))
    let experiment = try Experiment(&options)
    try options.finish()
    return (experiment, options.resolved)
  }
}

@Suite("Options are typed, checked, resolved and documented by one reader")
struct OptionsTests {
  static let small = "training: {epochs: 2, batch: 8}\noptimizer: {learning-rate: 0.1}\n"

  @Test func typedValues() throws {
    let yaml = """
      name: 2024
      seed: 7
      training: {epochs: 3, batch: 128}
      optimizer: {name: sgd, learning-rate: 5e-4, momentum: 0.9, nesterov: true, schedule: cosine}
      widths: [32, 64]
      every: 100 steps
      """
    let read = try Experiment.read(yaml).experiment
    #expect(read.name == "2024")
    #expect(read.seed == 7)
    #expect(read.epochs == 3)
    #expect(read.batch == 128)
    #expect(read.learningRate == 5e-4)
    #expect(read.momentum == 0.9)
    #expect(read.nesterov)
    #expect(read.schedule == "cosine")
    #expect(read.widths == [32, 64])
    #expect(read.every == Quantity(100, "step"))
  }

  @Test(arguments: [
    ("training: {batch: -3}", "a.yaml:1: training.batch is -3; expected a whole number of at least 1 (samples)"),
    ("training: {batch: abc}", "a.yaml:1: training.batch is \"abc\"; expected a whole number of at least 1 (samples)"),
    ("training:\n  batch: 1.5", "a.yaml:2: training.batch is 1.5; expected a whole number of at least 1 (samples)"),
    (
      "training: {batch: '128'}",
      "a.yaml:1: training.batch is the quoted text \"128\"; expected a whole number of at least 1 (samples)"
    ),
    ("training: {batch: [1]}", "a.yaml:1: training.batch is a list; expected a whole number of at least 1 (samples)"),
    ("\n\ntraining: {}", "a.yaml:3: training.batch is missing; expected a whole number of at least 1 (samples)"),
    ("training: {batch: }", "a.yaml:1: training.batch is empty; expected a whole number of at least 1 (samples)"),
    ("seed: 1", "a.yaml:1: training.batch is missing; expected a whole number of at least 1 (samples)"),
    ("seed: 99999999999999999999", "a.yaml:1: seed is 99999999999999999999; expected a whole number that fits 64 bits"),
    ("seed: true", "a.yaml:1: seed is true; expected a whole number"),
    ("name: [a]", "a.yaml:1: name is a list; expected a text"),
    ("training: 5", "a.yaml:1: training is 5; expected keys and values, as {key: value}"),
    ("training: {bathc: 3, batch: 3, epochs: 1}", "a.yaml:1: unknown key `bathc` in training; did you mean `batch`?"),
    (
      "training:\n  batch: 3\n  epochs: 1\n  zzz: 3",
      "a.yaml:4: unknown key `zzz` in training; known keys are epochs, batch"
    ),
    (
      "training:\n  bathc: 3",
      "a.yaml:2: training.batch is missing; expected a whole number of at least 1 (samples); is `bathc` meant for it?"
    ),
    (small + "sede: 3", "a.yaml:3: unknown key `sede`; did you mean `seed`?"),
    ("training: {batch: 8}", "a.yaml:1: training needs epochs"),
    ("[1, 2]", "a.yaml:1: the configuration is a list; expected keys and values"),
    ("hello world", "a.yaml:1: the configuration is \"hello world\"; expected keys and values"),
  ])
  func errors(yaml: String, message: String) {
    #expect(thrown { () throws(ConfigurationError) in _ = try Experiment.read(yaml) } == message)
  }

  @Test(arguments: [
    ("optimizer: {learning-rate: 0}", "optimizer.learning-rate is 0; expected a number above 0 (1/step)"),
    ("optimizer: {learning-rate: abc}", "optimizer.learning-rate is \"abc\"; expected a number above 0 (1/step)"),
    ("optimizer: {learning-rate: .inf}", "optimizer.learning-rate is .inf; expected a number above 0, finite (1/step)"),
    (
      "optimizer: {learning-rate: 1e999}",
      "optimizer.learning-rate is 1e999; expected a number above 0, finite (1/step)"
    ),
    ("optimizer: {learning-rate: .nan}", "optimizer.learning-rate is .nan; expected a number above 0, finite (1/step)"),
    ("optimizer: sgd", "optimizer.learning-rate is missing; expected a number above 0 (1/step)"),
    (
      "optimizer: {learning-rate: 1, momentum: 1}",
      "optimizer.momentum is 1; expected a number of at least 0 and below 1"
    ),
    ("optimizer: {learning-rate: 1, nesterov: yes}", "optimizer.nesterov is \"yes\"; expected true or false"),
    (
      "optimizer: {learning-rate: 1, schedule: cosin}",
      "optimizer.schedule is \"cosin\"; expected one of constant, cosine; did you mean `cosine`?"
    ),
    ("optimizer: adma", "optimizer is \"adma\"; expected one of sgd, adam; did you mean `adam`?"),
    ("optimizer: {name: zzz}", "optimizer.name is \"zzz\"; expected one of sgd, adam"),
    ("optimizer: [sgd]", "optimizer is a list; expected one of sgd, adam"),
    ("optimizer: {name: {a: 1}}", "optimizer.name is a map; expected one of sgd, adam"),
    (
      "optimizer: {name: adam, learning-rate: 1, momentun: 0.9}",
      "unknown key `momentun` in optimizer; known keys are name, learning-rate, schedule"
    ),
    (
      "optimizer: {learning_rate: 1, learning-rate: 1}",
      "unknown key `learning_rate` in optimizer; did you mean `learning-rate`?"
    ),
    (
      "optimizer: {learning-rate: 1}\nwidths: [3, 0]",
      "widths.1 is 0; expected a whole number from 1 to 4096 (features)"
    ),
    (
      "optimizer: {learning-rate: 1}\nwidths: 3",
      "widths is 3; expected a list of whole numbers from 1 to 4096 (features)"
    ),
    (
      "optimizer: {learning-rate: 1}\nevery: 5",
      "every is 5; expected a count of at least 1 with its unit, as `1 epoch` or `1 step`"
    ),
    (
      "optimizer: {learning-rate: 1}\nevery: 0 steps",
      "every is \"0 steps\"; expected a count of at least 1 with its unit, as `1 epoch` or `1 step`"
    ),
    (
      "optimizer: {learning-rate: 1}\nevery: 5 weeks",
      "every is \"5 weeks\"; expected a count of at least 1 with its unit, as `1 epoch` or `1 step`"
    ),
  ])
  func errorsInOptions(yaml: String, message: String) {
    let line = yaml.contains("\n") ? 3 : 2
    let said = thrown { () throws(ConfigurationError) in
      _ = try Experiment.read("training: {epochs: 1, batch: 8}\n" + yaml)
    }
    #expect(said == "a.yaml:\(line): " + message)
  }

  @Test func requiredNames() throws {
    for (yaml, message) in [
      ("a: 1", "a.yaml:1: model is missing; expected one of mlp, cnn"),
      ("a: 1\nmodel: {width: 3}", "a.yaml:2: model.name is missing; expected one of mlp, cnn"),
    ] {
      var options = try options(yaml)
      let said = thrown { () throws(ConfigurationError) in
        try options.named("model", of: ["mlp", "cnn"], "") { (_, _) throws(ConfigurationError) in }
      }
      #expect(said == message)
    }
  }

  @Test(arguments: [
    (Bounds.fraction, "from 0 to 1"), (.open01, "above 0 and below 1"), (.nonNegative, "of at least 0"),
    (.above(2), "above 2"), (.atLeast(-0.5), "of at least -0.5"), (.positiveFraction, "above 0 and at most 1"),
    (Bounds(lower: -.infinity, upper: 3), "of at most 3"),
    (Bounds(lower: -.infinity, upper: 3, includesUpper: false), "below 3"),
    (.between(2, 4), "from 2 to 4"),
  ])
  func boundsSayTheirRange(bounds: Bounds, range: String) throws {
    let outside = bounds.lower.isFinite ? bounds.lower - 1 : bounds.upper + 1
    var options = try options("x: \(outside)")
    let said = thrown { () throws(ConfigurationError) in _ = try options.number("x", in: bounds, "") }
    #expect(said == "a.yaml:1: x is \(outside); expected a number \(range)")
    for (value, inside) in [(bounds.lower, bounds.includesLower), (bounds.upper, bounds.includesUpper)]
    where value.isFinite {
      #expect(bounds.contains(value) == inside)
    }
  }

  @Test func resolvedFillsDefaultsIn() throws {
    let resolved = try Experiment.read(Self.small).resolved
    #expect(
      resolved.yaml() == """
        name: run
        seed: 1
        training: {epochs: 2, batch: 8}
        optimizer: {name: sgd, learning-rate: 0.1, momentum: 0.0, nesterov: false, schedule: constant}
        widths: [512, 512]
        every: 1 epoch

        """)
  }

  @Test(arguments: [
    small, "name: '12'\nwidths: []\n" + small,
    "training: {epochs: 1, batch: 0x10}\noptimizer: {name: adam, learning-rate: 1e-5}",
    "training: {epochs: ~, batch: 1, epochs2: }\noptimizer: {name: adam, learning-rate: 1e-5}",
  ])
  func resolvedReadsTheSame(yaml: String) throws {
    guard let first: (experiment: Experiment, resolved: Node) = try? Experiment.read(yaml) else {
      #expect(yaml.contains("epochs2"))
      return
    }
    let second = try Experiment.read(first.resolved.yaml())
    #expect(second.experiment == first.experiment)
    #expect(second.resolved == first.resolved)
  }

  @Test func namesAloneStayNames() throws {
    var options = try options("a: x\nb: {name: x}\nc: {name: y, k: 1}")
    for key in ["a", "b", "c", "d"] {
      try options.named(key, of: ["x", "y"], default: "y", "") { (name, inner) throws(ConfigurationError) in
        if key == "c" { _ = try inner.integer("k", "") }
      }
    }
    #expect(options.resolved.yamlOnOneLine() == "{a: x, b: x, c: {name: y, k: 1}, d: y}")
  }

  @Test func optionalValuesAndPresence() throws {
    var options = try options("a: 1\nb: ~\nc: x\nd: [1, 2.5]\ne: [u, v]")
    #expect(options.has("a") && !options.has("b") && !options.has("z"))
    #expect(try options.optionalInteger("a", "") == 1)
    #expect(try options.optionalNumber("b", "") == nil)
    #expect(try options.optionalNumber("z", "") == nil)
    #expect(try options.optionalText("c", "") == "x")
    #expect(try options.optionalFlag("y", "") == nil)
    #expect(try options.optionalChoice("w", of: ["a"], "") == nil)
    #expect(try options.optionalQuantity("v", in: ["step"], "") == nil)
    #expect(try options.numbers("d", "") == [1, 2.5])
    #expect(try options.texts("e", "") == ["u", "v"])
    try options.finish()
    #expect(options.resolved.yamlOnOneLine() == "{a: 1, c: x, d: [1.0, 2.5], e: [u, v]}")
  }

  @Test func rawNodesAreResolvedByTheirReader() throws {
    var options = try options("model: {layers: [relu]}\n")
    let node = options.node("model", "The model.")
    #expect(node?["layers"]?.items?.count == 1)
    #expect(options.resolved.yamlOnOneLine() == "{model: {layers: [relu]}}")
    options.resolve("model", as: .map(["layers": .list([.map(["relu": .empty])])]))
    #expect(options.resolved.yamlOnOneLine() == "{model: {layers: [{relu: {}}]}}")
    try options.finish()
  }

  @Test func errorsArePlacedAtTheKey() throws {
    let options = try options("a: 1\nb:\n  2\n")
    #expect(options.error("no", key: "b").description == "a.yaml:3: no")
    #expect(options.error("no").description == "a.yaml:1: no")
    #expect(options.error("no", key: "z").description == "a.yaml:1: no")
    #expect(ConfigurationError("two\nlines").description == "two\\nlines")
  }

  @Test func emptyMapsAreNull() throws {
    var options = try options("training:\n")
    let value = try options.section("training", "") { (inner) throws(ConfigurationError) in
      try inner.integer("a", default: 3, "")
    }
    #expect(value == 3)
    #expect(thrown { () throws(ConfigurationError) in try options.finish() } == "nothing thrown")
  }
}
