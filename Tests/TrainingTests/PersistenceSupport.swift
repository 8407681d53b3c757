import Configuration
import Foundation
import Tensors
import Training

/// A folder that goes when the test does.
final class PersistenceFolder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "nndist-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)")))
  }

  func write(_ bytes: [UInt8], to name: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
  }

  func write(_ text: String, to name: String) throws { try write(Array(text.utf8), to: name) }

  func text(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }

  func names(_ name: String = "") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "\(path)/\(name)").sorted()
  }
}

/// A model's weights and an optimizer's two blocks, with every kind of Float32 in them.
struct PersistenceSample {
  let store: ParameterStore
  let momentum: Storage
  let square: Storage

  static func layout(hidden: Int = 40) -> ParameterLayout {
    var scope = ParameterScope()
    scope.nested("fc1") { scope in
      _ = scope.parameter("weight", [hidden, 60], .inputs(60))
      _ = scope.parameter("bias", [hidden], .inputs(60))
    }
    scope.nested("norm") { scope in
      _ = scope.parameter("weight", [hidden], .constant(1))
      _ = scope.state("running_mean", [hidden], initial: 0, momentum: 0.1)
      _ = scope.state("running_var", [hidden], initial: 1, momentum: 0.1)
    }
    return scope.layout
  }

  init(seed: UInt64, hidden: Int = 40) {
    let layout = PersistenceSample.layout(hidden: hidden)
    store = ParameterStore(layout)
    momentum = Storage(zeros: layout.parameterCount)
    square = Storage(zeros: layout.parameterCount)
    var random = RandomStream(seed: seed, .initialisation)
    for block in [store.parameters, store.states, momentum, square] {
      for i in 0..<block.count { block.base[i] = random.normal() }
    }
    let odd: [Float] = [.nan, -.infinity, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude]
    for (i, value) in odd.enumerated() { store.parameters.base[i] = value }
  }

  /// Zeros of the same layout.
  init(emptyLike other: PersistenceSample) {
    store = ParameterStore(other.store.layout)
    momentum = Storage(zeros: other.momentum.count)
    square = Storage(zeros: other.square.count)
  }

  var bits: [[UInt32]] {
    [store.parameters, store.states, momentum, square].map { $0.scalars.map(\.bitPattern) }
  }

  func head(step: Int, model: String = "mlp") -> Checkpoints.Head {
    var progress = TrainingProgress()
    progress.step = step
    progress.epoch = step / 10
    progress.epochSamples = 640
    progress.samples = 64 * step + 640
    progress.seconds = 0.1 * Double(step)
    progress.bestMetric = 1.0 / 3
    progress.bestStep = step
    progress.counters = ["bytes_sent": 1e15 + 0.5, "loss": .leastNonzeroMagnitude]
    return Checkpoints.Head(
      progress: progress, model: model, seed: 7,
      configuration: .map(["name": .text("a\n\"b\"\u{7}"), "seed": .integer(7)]))
  }

  /// Both blocks as parts of tensors by the parameters' names.
  var parts: [CheckpointPart] {
    [("momentum", momentum), ("square", square)].flatMap { name, storage in
      store.layout.parameters.map { parameter in
        CheckpointPart(
          name: "optimizer/\(parameter.name).\(name)", shape: parameter.shape,
          floats: storage.base + parameter.range.lowerBound)
      }
    }
  }
}

/// Numbers that are the same in every run of a test.
func persistenceRandom(_ seed: UInt64, below bound: Int, count: Int) -> [Int] {
  var state = seed
  return (0..<count).map { _ in
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % bound
  }
}

extension Checkpoints {
  /// Writes a sample as the checkpoint of a step.
  @discardableResult
  func write(
    _ sample: PersistenceSample, step: Int, model: String = "mlp", isBest: Bool = false
  ) throws(CheckpointError) -> Checkpoint {
    try write(sample.head(step: step, model: model), model: sample.store, parts: sample.parts, isBest: isBest)
  }
}

extension Checkpoint {
  /// Reads all that a sample holds into one of the same layout.
  func load(into sample: PersistenceSample) throws(CheckpointError) {
    try load(into: sample.store)
    let state = try state()
    for part in sample.parts {
      try state.read(part.name, part.range, into: UnsafeMutablePointer(mutating: part.floats))
    }
  }
}
