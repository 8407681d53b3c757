import Configuration
import Datasets
import Tensors

/// What lies at a path, for people and for programs: a run, a checkpoint, or an array file.
public struct Inspection: Sendable {
  /// Lines for a terminal, each with its end.
  public let text: String
  /// The same as an object; `kind` is `run`, `checkpoint`, `safetensors`, `npy` or `npz`.
  public let json: JSONObject

  /// Looks at a path; all of it is read once.  Errors: `checkpoint` for what is missing or damaged, `data` for array files
  /// of NumPy.
  public init(_ path: String) throws(RunError) {
    do {
      if Files.isFolder(path) {
        if Files.isFile("\(path)/\(CheckpointManifest.fileName)") || Files.isFile("\(path)/\(Checkpoint.modelFile)") {
          self = try Inspection(checkpoint: path)
        } else {
          self = try Inspection(run: path)
        }
        return
      }
      guard Files.isFile(path) else {
        throw CheckpointError(.missing, "\(path): no such file; name a run, a checkpoint or an array file")
      }
      if path.hasSuffix(".npy") || path.hasSuffix(".npy.gz") {
        let file = try NPYFile(path)
        self.init(path, "npy", [Inspection.summary(Files.name(of: path), file)], JSONObject())
      } else if path.hasSuffix(".npz") {
        let arrays = try NPZFile(path).arrays.sorted { $0.key < $1.key }
        self.init(path, "npz", arrays.map { Inspection.summary($0.key, $0.value) }, JSONObject())
      } else {
        self = try Inspection(safetensors: path)
      }
    } catch {
      throw RunError(error)
    }
  }

  private init(text: String, json: JSONObject) {
    self.text = text
    self.json = json
  }

  // MARK: - Array files

  private init(_ path: String, _ kind: String, _ summaries: [TensorSummary], _ metadata: JSONObject) {
    var json: JSONObject = ["kind": .text(kind), "path": .text(path)]
    var text = "\(path): \(kind)\n".escapingLines
    if !metadata.members.isEmpty {
      json["metadata"] = .object(metadata)
      text += "metadata: \(metadata.text)\n"
    }
    json["tensors"] = .list(summaries.map { .object($0.object) })
    self.init(text: text + "\n" + TensorSummary.table(summaries), json: json)
  }

  private init(safetensors path: String) throws(CheckpointError) {
    let file = try checkpointErrors { () throws(DataError) in try SafetensorsFile.open(path) }
    var metadata = JSONObject()
    for (key, value) in file.metadata.sorted(by: { $0.key < $1.key }) { metadata[key] = .text(value) }
    self.init(path, "safetensors", try Inspection.summaries(file), metadata)
  }

  private static func summaries(_ file: SafetensorsFile) throws(CheckpointError) -> [TensorSummary] {
    try checkpointErrors { () throws(DataError) in
      var summaries: [TensorSummary] = []
      for name in file.names {
        let entry = try file.entry(name)
        let integers = entry.type.isInteger ? try? file.integers(name) : nil
        let floats = integers == nil ? try file.floats(name) : []
        summaries.append(
          TensorSummary(name, type: entry.type, shape: entry.shape, integers: integers, floats: floats))
      }
      return summaries
    }
  }

  private static func summary(_ name: String, _ file: NPYFile) -> TensorSummary {
    TensorSummary(
      name, type: file.type, shape: file.shape, integers: file.type.isInteger ? file.integers() : nil,
      floats: file.floats())
  }

  // MARK: - Checkpoints

  private init(checkpoint path: String) throws(CheckpointError) {
    let checkpoint = try Checkpoint.open(path)
    let manifest = checkpoint.manifest
    let progress = manifest.progress
    var json: JSONObject = ["kind": "checkpoint", "path": .text(path), "model": .text(manifest.model)]
    json.merge(progress.object)
    json["seed"] = .integer(manifest.seed)
    json["parameters_digest"] = .text(manifest.parametersDigest)
    json["format"] = .integer(manifest.format)
    var text = "\(path): checkpoint of \(manifest.model), whole\n".escapingLines
    if FederatedProgress.isOne(progress) {
      let federation = FederatedProgress.restored(progress).progress
      text += "round \(federation.round), \(federation.updates) updates, \(federation.samples) samples, "
    } else {
      text += "step \(progress.step), epoch \(progress.epoch) and \(progress.epochSamples) samples, "
      text += "\(progress.samples) samples in all, "
    }
    text += "\(TextTable.number(progress.seconds)) s\n"
    if let best = progress.bestMetric {
      text += "best metric \(TextTable.number(best))" + (progress.bestStep.map { " at step \($0)" } ?? "") + "\n"
    }
    text += "seed \(manifest.seed), parameters digest \(manifest.parametersDigest)\n"
    var files: [JSONValue] = []
    for file in manifest.files {
      let tensors = try checkpointErrors { () throws(DataError) in
        try SafetensorsFile.open("\(path)/\(file.name)")
      }
      let summaries = try Inspection.summaries(tensors)
      text += "\n\(file.name): \(file.bytes) bytes, SHA-256 \(file.sha256)\n"
      // There may be a tensor for each of a million clients.
      text +=
        FederatedKeeper.holdsClients(file.name)
        ? "what \(summaries.count) clients remember, one tensor each\n" : TensorSummary.table(summaries)
      files.append([
        "name": .text(file.name), "bytes": .integer(file.bytes), "sha256": .text(file.sha256),
        "tensors": .list(summaries.map { .object($0.object) }),
      ])
    }
    json["files"] = .list(files)
    json["configuration"] = .text(manifest.configuration)
    self.init(text: text, json: json)
  }

  // MARK: - Runs

  private init(run path: String) throws(CheckpointError) {
    let inside = "\(path)/checkpoints"
    let isRun = Files.isFolder(inside) || Files.isFile("\(path)/config.yaml")
    let checkpoints = Checkpoints(isRun ? inside : path)
    guard isRun || !checkpoints.steps.isEmpty else {
      throw CheckpointError(.missing, "\(path) holds no run and no checkpoint; name a folder that does")
    }
    let result = Files.text(of: "\(path)/result.json").flatMap { JSONValue(parsing: $0) }
    let metrics = Files.text(of: "\(path)/metrics.jsonl")?.split(separator: "\n").compactMap {
      JSONValue(parsing: String($0))
    }
    var json: JSONObject = ["kind": "run", "path": .text(path), "finished": .flag(result != nil)]
    var text = "\(path): run, \(result == nil ? "not finished" : "finished")\n".escapingLines
    if let result {
      json["result"] = result
      text += "result: \(result.text)\n"
    }
    if let last = metrics?.last {
      json["metrics"] = .integer(metrics?.count ?? 0)
      json["last_metrics"] = last
      text += "\(metrics?.count ?? 0) lines of metrics, the last: \(last.text)\n"
    }

    let receipts = Receipt.all(of: path)
    json["receipts"] = .list(receipts.map { .object($0.object) })
    if !receipts.isEmpty { text += "\n" + Receipt.table(receipts) }

    let isFederation = (try? Node.load("\(path)/config.yaml")).map { FederatedExperiment.isOne($0) } ?? false
    let unit = isFederation ? "round" : "epoch"
    var table = TextTable(["checkpoint", unit, "bytes", "parameters digest", "state"], leading: [0, 3, 4])
    var list: [JSONValue] = []
    for step in checkpoints.steps {
      var object: JSONObject = ["step": .integer(step)]
      let marks = ["last", "best"].filter { checkpoints.linked($0) == step }
      do throws(CheckpointError) {
        let manifest = try Checkpoint.open(checkpoints.path(step)).manifest
        let bytes = manifest.files.reduce(0) { $0 + $1.bytes }
        let units = isFederation ? manifest.progress.step : manifest.progress.epoch
        object[unit] = .integer(units)
        object["bytes"] = .integer(bytes)
        object["parameters_digest"] = .text(manifest.parametersDigest)
        object["valid"] = true
        table.add([
          "step-\(step)", "\(units)", "\(bytes)", manifest.parametersDigest,
          (["whole"] + marks).joined(separator: ", "),
        ])
      } catch {
        object["valid"] = false
        object["fault"] = .text(error.description)
        table.add(["step-\(step)", "-", "-", "-", (["damaged"] + marks).joined(separator: ", ")])
      }
      for mark in marks { object[mark] = true }
      list.append(.object(object))
    }
    json["checkpoints"] = .list(list)
    self.init(text: text + (list.isEmpty ? "no checkpoints\n" : "\n" + table.text), json: json)
  }
}

extension String {
  /// Control characters escaped in every line but its end.
  fileprivate var escapingLines: String { hasSuffix("\n") ? String(dropLast()).onOneLine + "\n" : onOneLine }
}
