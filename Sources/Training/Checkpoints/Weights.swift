import Datasets
import Tensors

/// Weights in files: a safetensors file of our own or of PyTorch, a checkpoint, or the newest checkpoint of a run.
public enum Weights {
  /// Where weights came from.
  public struct Origin: Sendable {
    /// The safetensors file.
    public let file: String
    /// The checkpoint it belongs to; nil for a file on its own.
    public let checkpoint: Checkpoint?
    /// What to tell the user: damaged checkpoints that were passed over.
    public let warnings: [String]
  }

  /// Finds the weights that a path means: a safetensors file, a checkpoint directory (verified), or a run directory (or its
  /// `checkpoints/`), whose newest whole checkpoint counts; its best one is `RUN/checkpoints/best`.
  public static func find(_ path: String) throws(CheckpointError) -> Origin {
    if Files.isFile(path) { return Origin(file: path, checkpoint: nil, warnings: []) }
    guard Files.isFolder(path) else {
      throw CheckpointError(
        .missing, "\(path): no such file or directory; name a safetensors file, a checkpoint or a run")
    }
    if Files.kind(of: "\(path)/\(CheckpointManifest.fileName)") != nil
      || Files.kind(of: "\(path)/\(Checkpoint.modelFile)") != nil
    {
      let checkpoint = try Checkpoint.open(path)
      return Origin(file: "\(path)/\(Checkpoint.modelFile)", checkpoint: checkpoint, warnings: [])
    }
    let inside = "\(path)/checkpoints"
    let (newest, warnings) = Checkpoints(Files.isFolder(inside) ? inside : path).newestValid()
    guard let newest else {
      let reason = warnings.first.map { " (\($0))" } ?? ""
      throw CheckpointError(.missing, "\(path) holds no whole checkpoint\(reason); name a run that has saved one")
    }
    return Origin(file: "\(newest.directory)/\(Checkpoint.modelFile)", checkpoint: newest, warnings: warnings)
  }

  /// Loads parameters and states of a model; all is checked before anything is touched.
  ///
  /// Names and shapes must be those of the model.  Running statistics may be missing, and then stay as they are;
  /// `num_batches_tracked` is passed over.  Numbers of other types are rounded to Float32.
  @discardableResult
  public static func load(_ path: String, into store: ParameterStore) throws(CheckpointError) -> Origin {
    let origin = try find(path)
    let file = try checkpointErrors { () throws(DataError) in try SafetensorsFile.open(origin.file) }
    try check(file, against: store.layout, isStrict: false)
    try copy(file, into: store)
    return origin
  }

  /// Loads another model's parameters and states into the states that a learning rule keeps of it under a scope.
  static func load(
    _ path: String, into store: ParameterStore, statesUnder scope: String
  ) throws(CheckpointError) {
    let origin = try find(path)
    let file = try checkpointErrors { () throws(DataError) in try SafetensorsFile.open(origin.file) }
    for state in store.layout.states where state.name.hasPrefix(scope + ".") {
      let name = String(state.name.dropFirst(scope.count + 1))
      guard let entry = file.tensors[name], entry.shape == state.shape, !entry.type.isInteger else {
        throw CheckpointError(
          .unsuitable, "\(file.path) does not hold `\(name)` as \(state.shape) numbers; give weights of that model")
      }
      try copy(file, name, state.range, store.states)
    }
  }

  /// Writes parameters and states under PyTorch's names as one safetensors file, whole or not at all.
  public static func write(_ path: String, _ store: ParameterStore, model: String) throws(CheckpointError) {
    _ = try checkpointErrors { () throws(DataError) in
      try SafetensorsWriter.write(
        path, metadata: ["format": "pt", "model": model], tensors: parts(of: store), durable: true)
    }
  }

  static func parts(of store: ParameterStore) -> [SafetensorsWriter.Part] {
    store.layout.parameters.map {
      SafetensorsWriter.Part(name: $0.name, shape: $0.shape, floats: store.parameters.base + $0.range.lowerBound)
    }
      + store.layout.states.map {
        SafetensorsWriter.Part(name: $0.name, shape: $0.shape, floats: store.states.base + $0.range.lowerBound)
      }
  }

  /// Compares names, shapes and types with a model's; the first difference is the error.  A strict comparison wants every
  /// state and Float32.
  static func check(
    _ file: SafetensorsFile, against layout: ParameterLayout, isStrict: Bool
  ) throws(CheckpointError) {
    func other(_ what: String) -> CheckpointError {
      CheckpointError(.unsuitable, "\(file.path) \(what); give weights of this model, or the model of these weights")
    }
    func compare(_ name: String, _ shape: Shape, isRequired: Bool) throws(CheckpointError) {
      guard let entry = file.tensors[name] else {
        if !isRequired { return }
        let held = file.names.prefix(3).map { "`\($0)`" }.joined(separator: ", ")
        throw other("lacks `\(name)` \(shape) (it holds \(held.isEmpty ? "nothing" : held + ", …"))")
      }
      guard entry.shape == shape else {
        throw other("holds `\(name)` as \(entry.shape) where the model has \(shape)")
      }
      guard isStrict ? entry.type == .float32 : !entry.type.isInteger else {
        throw other("holds `\(name)` as \(entry.type.rawValue), not as F32")
      }
    }
    for parameter in layout.parameters { try compare(parameter.name, parameter.shape, isRequired: true) }
    for state in layout.states { try compare(state.name, state.shape, isRequired: isStrict) }
    let known = Set(layout.parameters.map(\.name) + layout.states.map(\.name))
    for name in file.names where !known.contains(name) {
      if !isStrict, name == "num_batches_tracked" || name.hasSuffix(".num_batches_tracked") { continue }
      throw other("holds `\(name)`, which the model does not have")
    }
  }

  /// Copies what `check` has approved.
  static func copy(_ file: SafetensorsFile, into store: ParameterStore) throws(CheckpointError) {
    for parameter in store.layout.parameters {
      try copy(file, parameter.name, parameter.range, store.parameters)
    }
    for state in store.layout.states where file.tensors[state.name] != nil {
      try copy(file, state.name, state.range, store.states)
    }
  }

  private static func copy(
    _ file: SafetensorsFile, _ name: String, _ range: Range<Int>, _ storage: Storage
  ) throws(CheckpointError) {
    let target = UnsafeMutableBufferPointer(start: storage.base + range.lowerBound, count: range.count)
    try checkpointErrors { () throws(DataError) in try file.copyFloats(name, into: target) }
  }
}
