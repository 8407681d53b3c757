import Configuration
import Datasets
import Federated
import Foundation
import Layers
import Reporting
import Tensors
import Training

/// `nndist check CONFIG`: everything that can be known before training, gradients included.
enum Check: Verb {
  static let name = "check"
  static let usage = "check CONFIG [--ranks N]"
  static let summary = "checks a configuration, its data, model and gradients"
  static let details = """
    The configuration is read, the data loaded and the model built; a table shows its layers and what a \
    step computes, another what training takes of memory, beside the data and some 50 MB a process for the program; --ranks \
    says on how many ranks. The gradient of each parameter tensor is compared with finite differences of the loss on a small \
    batch of the training data, with dropout and batch normalisation as in training. Nothing is written.

    Of a federation there are also its clients, what travels in a round, and what clients remember; operations are those of a \
    client's batch.

    The exit code is 0, or 1 where a gradient differs by more than \(Int(GradientCheck.tolerance * 100)) percent.

    Examples:
      nndist check configs/digits-mlp.yaml
      nndist check configs/cifar10-resnet20.yaml --set model=resnet56 --no-gradients
    """
  static let samples = Flag("--samples", "N", "samples of the batch that gradients are checked on (default 8)")
  static let skip = Flag("--no-gradients", nil, "leaves out the comparison with finite differences")
  static let ranks = Flag("--ranks", "N", "ranks that will train (default 1): what memory each takes")
  static let flags: [Flag] = [ranks, samples, skip, .set, .json, .quiet]

  static func run(_ arguments: Arguments) throws(RunError) -> ExitCode {
    let count = try arguments.integer(samples, in: 1...4096) ?? 8
    let isJSON = arguments.has(.json)
    let number = try arguments.integer(ranks, in: 1...4096) ?? 1
    let subject = try Subject(try ConfigurationLoading.node(arguments.positional[0], arguments), ranks: number)
    if !isJSON {
      describe(subject.model, subject.estimate)
      if let federation = subject.federation { describe(federation) }
      describe(subject.memory)
    }
    let isSkipped = arguments.has(skip) || subject.hasOwnLoss
    let findings = isSkipped ? nil : try gradients(subject.model, count, arguments)
    let worst = findings?.max { $0.error < $1.error }
    let isRight = worst.map { $0.error <= GradientCheck.tolerance } ?? true
    if isJSON {
      Output.line(object(subject, findings).text)
    } else if let worst, let findings {
      report(findings, worst, min(count, subject.model.dataset.training.count))
    } else if subject.hasOwnLoss {
      Output.result("gradients", "not compared: the federation's strategy has a loss of its own")
    }
    if !isRight, let worst {
      throw RunError(
        .internalError,
        "the gradient of \(worst.name) differs from finite differences by \(percent(worst.error)); its layer, or a kernel "
          + "on this machine, computes another gradient than that of the loss")
    }
    return .done
  }

  /// What is checked: a training, or a federation.
  private struct Subject {
    let model: TrainableModel
    let estimate: StepEstimate
    /// Of each rank.
    let memory: [MemoryEstimate]
    var federation: FederationEstimate?
    /// Whether the model's outputs are not what the loss needs.
    var hasOwnLoss = false

    init(_ node: Node, ranks: Int) throws(RunError) {
      do {
        if FederatedExperiment.isOne(node) {
          let prepared = try PreparedFederation(try FederatedExperiment(node))
          model = prepared.trainable
          estimate = StepEstimate(model, samples: prepared.task.largestBatch)
          memory = Array(repeating: try MemoryEstimate(prepared, ranks: ranks), count: ranks)
          federation = try FederationEstimate(prepared)
          hasOwnLoss = prepared.experiment.federated.strategy.makesEmbeddings
        } else {
          let prepared = try PreparedExperiment(try Experiment(node))
          model = prepared.trainable
          estimate = try StepEstimate(prepared, ranks: ranks)
          memory = try MemoryEstimate.all(prepared, ranks: ranks)
        }
      } catch { throw RunError(error) }
    }
  }

  private static func gradients(
    _ prepared: TrainableModel, _ count: Int, _ arguments: Arguments
  ) throws(RunError) -> [GradientCheck.Finding] {
    let check = try GradientCheck(prepared, samples: count)
    let total = prepared.model.layout.parameters.count
    let isShown = isatty(STDERR_FILENO) == 1 && !arguments.has(.quiet)
    var done = 0
    let findings = check.run { finding in
      done += 1
      if isShown { Output.progress("checking gradients: \(done) of \(total), \(finding.name)") }
    }
    if isShown { Output.progress("") }
    return findings
  }

  // MARK: - For people

  private static func describe(_ prepared: TrainableModel, _ estimate: StepEstimate) {
    let data = prepared.dataset
    let validation = data.validation.map { ", \(Numerals.grouped($0.count)) for validation" } ?? ""
    Output.result("name", Terminal.bold(prepared.name))
    Output.result(
      "data",
      "\(data.origin): \(Numerals.grouped(data.training.count)) to train on, \(Numerals.grouped(data.test.count)) to test "
        + "on\(validation)")
    Output.result("model", "\(prepared.model.name), \(prepared.model.input) → \(prepared.model.output)")
    Output.line("")
    var table = TextTable(["layer", "kind", "output", "parameters", "operations"], leading: [0, 1, 2])
    for layer in estimate.layers {
      table.add([
        layer.name, layer.kind, "\(layer.output)", layer.parameters == 0 ? "-" : Numerals.grouped(layer.parameters),
        layer.flops == 0 ? "-" : Numerals.scaled(layer.flops),
      ])
    }
    table.add([
      "all", "", "", Numerals.grouped(prepared.model.layout.parameterCount), Numerals.scaled(estimate.flopsPerSample),
    ])
    Output.text(Terminal.headed(table.text))
    Output.line("")
    Output.line(Terminal.dim("operations: floating-point operations of one sample, forward and backward"))
    Output.line("")
  }

  /// Who takes part, what travels, and what is remembered.
  private static func describe(_ federation: FederationEstimate) {
    func traffic(_ count: Int) -> String {
      "\(Numerals.bytes(count * federation.uploadBytes)) up, \(Numerals.bytes(count * federation.downloadBytes)) down"
    }
    Output.result(
      "federation",
      "\(federation.strategy): \(Numerals.plural(federation.clients, "client", grouped: true)), "
        + "\(Numerals.grouped(federation.cohort)) a round, \(Numerals.plural(federation.rounds, "round", grouped: true))"
    )
    let samples = federation.samples
    let range =
      samples.count == 1
      ? Numerals.grouped(samples.lowerBound)
      : "\(Numerals.grouped(samples.lowerBound)) to \(Numerals.grouped(samples.upperBound))"
    let empty = federation.emptyClients
    Output.result(
      "clients", "\(range) samples each" + (empty > 0 ? ", \(Numerals.grouped(empty)) of them without any" : ""))
    Output.result("traffic", "\(traffic(1)) for a client; \(traffic(federation.cohort)) a round")
    let bytes = federation.stateBytes
    Output.result(
      "remembered",
      bytes == 0
        ? "nothing by clients"
        : "\(Numerals.bytes(bytes)) by a client, \(Numerals.bytes(federation.clients * bytes)) by all once they were "
          + "visited; up to \(Numerals.bytes(federation.stateMemory)) a rank in memory, the rest in a file")
    Output.line("")
  }

  /// A row for each part of memory; the first rank writes checkpoints and takes most.
  private static func describe(_ ranks: [MemoryEstimate]) {
    let all = ranks.reduce(MemoryEstimate(), +)
    let isAlone = ranks.count == 1
    var table = TextTable(["memory"] + (isAlone ? ["bytes"] : ["rank 0", "all \(ranks.count) ranks"]))
    func add(_ name: String, _ bytes: (MemoryEstimate) -> Int) {
      table.add([name] + (isAlone ? [all] : [ranks[0], all]).map { Numerals.bytes(bytes($0)) })
    }
    for part in MemoryEstimate.Part.allCases where all[part] > 0 { add(part.rawValue) { $0[part] } }
    add("all") { $0.bytes }
    Output.text(Terminal.headed(table.text))
    Output.line("")
    Output.line(Terminal.dim("free on this machine: \(Numerals.bytes(MachineMemory.available))"))
    Output.line("")
  }

  private static func report(_ findings: [GradientCheck.Finding], _ worst: GradientCheck.Finding, _ samples: Int) {
    let wrong = findings.filter { $0.error > GradientCheck.tolerance }
    let verdict = wrong.isEmpty ? Terminal.green("right") : Terminal.red("\(wrong.count) wrong")
    Output.result(
      "gradients",
      "\(verdict): \(findings.count) tensors against finite differences on "
        + "\(Numerals.plural(samples, "sample"))\nworst \(worst.name), off by "
        + percent(worst.error))
    for finding in wrong { Output.result("", "\(finding.name) \(finding.shape): off by \(percent(finding.error))") }
  }

  private static func percent(_ share: Double) -> String {
    share.isFinite ? String(format: share < 0.1 ? "%.2f %%" : "%.0f %%", 100 * share) : "no finite number"
  }

  // MARK: - For programs

  private static func object(_ subject: Subject, _ findings: [GradientCheck.Finding]?) -> JSONObject {
    let (prepared, estimate, memory) = (subject.model, subject.estimate, subject.memory)
    let layers = estimate.layers.map { layer -> JSONValue in
      [
        "name": .text(layer.name), "kind": .text(layer.kind),
        "output": .list(layer.output.shape.dimensions.map { .integer($0) }), "parameters": .integer(layer.parameters),
        "flops_per_sample": .integer(layer.flops),
      ]
    }
    var object: JSONObject = [
      "verb": .text(name), "name": .text(prepared.name), "model": .text(prepared.model.name),
      "data": .text(prepared.dataset.name), "training_samples": .integer(prepared.dataset.training.count),
      "test_samples": .integer(prepared.dataset.test.count),
      "parameters": .integer(prepared.model.layout.parameterCount), "layers": .list(layers),
      "flops_per_sample": .integer(estimate.flopsPerSample),
      "ranks": .integer(memory.count), "memory_bytes": .object(object(memory[0])),
      "memory_bytes_of_all_ranks": .object(object(memory.reduce(MemoryEstimate(), +))),
    ]
    if let federation = subject.federation { object.merge(federation.object) }
    guard let findings, let worst = findings.max(by: { $0.error < $1.error }) else { return object }
    object["gradients"] = .list(
      findings.map {
        ["name": .text($0.name), "error": .number($0.error), "norm": .number($0.norm)]
      })
    object["worst_gradient"] = ["name": .text(worst.name), "error": .number(worst.error)]
    object["gradients_right"] = .flag(worst.error <= GradientCheck.tolerance)
    return object
  }

  private static func object(_ memory: MemoryEstimate) -> JSONObject {
    var object = JSONObject()
    for part in MemoryEstimate.Part.allCases { object[part.rawValue] = .integer(memory[part]) }
    object["all"] = .integer(memory.bytes)
    return object
  }
}
