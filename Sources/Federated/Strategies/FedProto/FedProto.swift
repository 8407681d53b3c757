import Configuration
import Datasets
import Layers
import Learning
import Tensors

/// FedProto (Tan, Long, Liu, Zhou, Lu, Jiang, Zhang, AAAI 2022, algorithm 1): clients keep their models and share what their
/// classes look like to them, the mean embedding of each.
///
/// The embedding z of a sample is what the last layer with parameters gets.  A client minimises cross-entropy plus
/// λ · mean ‖z − C_y‖² / width, C_y the server's prototype of the sample's class where there is one; the server's prototypes
/// are plain means over the clients of a round that hold a class, and stay where none does.  A sample is told by the nearest
/// prototype; losses are the cross-entropy of the client's own outputs.
///
/// As in the authors' program, squares take the place of distances and no prototype is divided by the number of its holders
/// once more, as equation 6 has it.  Unlike there, all clients begin with the same weights, and embeddings are those after the
/// visit's training, without augmentation and dropout, where the program averages those that it met on the way.
///
/// The server has no model: the one it evaluates and that the digest begins with is the initial one, so that only the clients'
/// own models say how well it goes.  Upload: for each class held 4 bytes a coordinate, and a bit a class to say which.
/// Download: the same for all classes.  An embedding beyond 2⁸ is rejected.  A client remembers a model.
public struct FedProto: FederatedStrategy {
  /// The name in configurations.
  public static let name = "fedproto"
  /// What it does.
  public static let help = "averages what classes look like to clients, which keep their models"
  private let lambda: Double

  /// Reads λ.
  public init(options: inout Options) throws(ConfigurationError) {
    lambda = try options.number(
      "lambda", default: 1, in: .nonNegative, "how strongly embeddings are drawn to the prototypes of their classes, λ")
  }

  /// A table of prototypes both ways; refuses what has no single class a sample, or no layer to embed with.
  public func plan(_ task: FederatedTask) throws(FederatedError) -> FederatedPlan {
    guard task.objective.loss == .crossEntropy, task.training.targetShape.count == 1, task.learning.followsOneLoss
    else {
      throw FederatedError(
        .configuration,
        "federated.strategy is fedproto, which needs samples of one class each and backpropagation; use another strategy"
      )
    }
    guard task.model.parametrisedLayers.count > 1 else {
      throw FederatedError(
        .configuration,
        "federated.strategy is fedproto, but \(task.model.name) has a single layer with parameters and so no embedding; "
          + "add a layer")
    }
    let shape = ClassTable(task)
    let table = BroadcastBlock("prototypes", count: shape.count, bytes: shape.bytes(of: shape.classes))
    return FederatedPlan(
      shared: SharedScalars(task.layout) { _ in false },
      uploads: [UploadPart("prototypes", .numbers, count: shape.count, bytes: shape.bytes(of: shape.classes))],
      blocks: [table], stateCount: SharedScalars(task.layout).count, weighting: .clients)
  }

  /// Cross-entropy and distance to prototypes; the model's losses, with embeddings as result 0.
  public func programs(_ task: FederatedTask) -> LocalPrograms {
    let weight = Float(lambda)
    return LocalPrograms(
      task,
      training: PlanCache { batch in
        let recorder = Recorder(batch: batch, mode: .training, layout: task.layout, compute: task.compute)
        let (loss, embeddings) = FedProto.record(task, recorder)
        let prototypes = recorder.table([ClassTable(task).classes, ClassTable(task).width + 1])
        let distance = recorder.prototypeLoss(
          embeddings, recorder.target(task.objective.target, .int32), prototypes, weight: weight)
        recorder.fuse()
        recorder.differentiate([loss, distance])
        return Plan(recorder)
      },
      evaluation: PlanCache { batch in
        let recorder = Recorder(batch: batch, mode: .evaluation, layout: task.layout, compute: task.compute)
        recorder.result(FedProto.record(task, recorder).embeddings)
        recorder.fuse()
        return Plan(recorder)
      })
  }

  /// The loss of the model's outputs, and what its last layer with parameters gets: `[batch, width]`.
  private static func record(_ task: FederatedTask, _ recorder: Recorder) -> (loss: Value, embeddings: Value) {
    let (model, last) = (task.model, ClassTable.lastLayer(task.model))
    let inner = model.record(model.recordInput(recorder), recorder, layers: 0..<last)
    let outputs = model.record(inner, recorder, layers: last..<model.layers.count)
    let embeddings = recorder.reshape(inner, [recorder.batch, ClassTable(task).width])
    return (task.objective.record(outputs, recorder), embeddings)
  }

  /// Trains the client's own model and embeds its samples.
  public func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf { PrototypeClient(task) }

  /// Averages prototypes.
  public func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf {
    PrototypeServer(task, broadcast.blocks[0])
  }
}

/// A table with a row for each class: its prototype, then 1 where it has one and 0 where it has none.
struct ClassTable: Sendable, Hashable {
  let classes: Int
  /// Scalars of an embedding.
  let width: Int

  init(_ task: FederatedTask) {
    classes = task.model.output.shape.count
    let last = ClassTable.lastLayer(task.model)
    width = (last == 0 ? task.model.input : task.model.layers[last - 1].layer.output).shape.count
  }

  /// Scalars of the table.
  var count: Int { classes * (width + 1) }

  /// Bytes of the prototypes of so many classes, and of a bit for each class.
  func bytes(of known: Int) -> Int { 4 * width * known + (classes + 7) / 8 }

  /// The row of a class.
  func row(_ label: Int) -> Int { label * (width + 1) }

  /// The place of the model's last layer that has parameters.
  static func lastLayer(_ model: Model) -> Int { model.parametrisedLayers.last ?? 0 }
}
