import Configuration
import Datasets
import Layers
import Reporting
import Tensors
import Training

/// `nndist predict CHECKPOINT --data X -o out.npy`: what a trained model makes of inputs.
enum Predict: Verb {
  static let name = "predict"
  static let usage = "predict CHECKPOINT --data X -o FILE"
  static let summary = "writes what a trained model makes of inputs, as NPY"
  static let details = """
    X is a data set, whose test part is taken, or a file (\(InputFile.endings)) with a row for each sample. Bytes for an \
    image model are pixels and are scaled as in training; other numbers are taken as they are. A run that was trained on a \
    CSV file reads another one as data.test-path does: the same columns, scaled as in training.

    Without --classes FILE holds Float32 logits [n, classes], with it the Int64 number of each sample's class; of a model that \
    makes embeddings (federated.strategy: prototypes), those.

    Examples:
      nndist predict runs/fashion --data fashion-mnist -o logits.npy
      nndist predict runs/fashion --data photos.npy -o classes.npy --classes
    """
  static let data = Flag("--data", "X", "the inputs: a data set's name, or a file")
  static let output = Flag("--output", "FILE", "the file to write, ending in .npy", short: "-o")
  static let classes = Flag("--classes", nil, "numbers of classes in place of logits")
  static let flags: [Flag] = [data, output, classes, TrainedModel.config, .set, .json]

  static func run(_ arguments: Arguments) throws(RunError) -> ExitCode {
    guard let data = arguments.value(data) else {
      throw RunError(.usage, "\(name) needs --data X: the name of a data set, or a file of inputs")
    }
    guard let file = arguments.value(output) else {
      throw RunError(.usage, "\(name) needs -o FILE: where the outputs go, for example -o out.npy")
    }
    guard file.hasSuffix(".npy") else {
      throw RunError(.usage, "-o \(file): the outputs are written as NPY; give a name that ends in .npy")
    }
    let model = try TrainedModel(arguments.positional[0], arguments)
    let (inference, source) = try inputs(data, model)
    let prepared = inference.prepared
    let wantsClasses = arguments.has(classes)
    if wantsClasses, prepared.dataset.classes == nil {
      throw RunError(.usage, "--classes: the model predicts values and has no classes; leave it out")
    }
    if wantsClasses, model.makesEmbeddings {
      throw RunError(
        .usage, "--classes: the model of \(model.path) makes embeddings, which say no class; leave it out")
    }
    let outputs = try inference.outputs(source)
    let shape = prepared.model.output.shape.batched(source.count)
    let written: Shape
    do throws(DataError) {
      if wantsClasses {
        let width = shape[-1]
        let numbers = (0..<outputs.count / width).map { row in largest(outputs[row * width..<(row + 1) * width]) }
        written = Shape(shape.dimensions.dropLast())
        try write(file, written, .int64, numbers)
      } else {
        written = shape
        try write(file, written, .float32, outputs)
      }
    } catch { throw RunError(error) }
    if arguments.has(.json) {
      let object: JSONObject = [
        "verb": .text(name), "samples": .integer(source.count), "output": .text(file),
        "shape": .list(written.dimensions.map { .integer($0) }), "type": .text(wantsClasses ? "int64" : "float32"),
        "parameters_digest": .text(Digest.parameters(inference.store)),
        "checkpoint": .text(model.origin.checkpoint?.directory ?? model.origin.file),
      ]
      Output.line(object.text)
    } else {
      let what = wantsClasses ? "classes" : model.makesEmbeddings ? "embeddings" : "logits"
      Output.line("\(what) of \(Numerals.grouped(source.count)) samples written to \(file), \(written)")
    }
    return .done
  }

  /// The model, and the samples that it is to look at.
  private static func inputs(
    _ data: String, _ model: TrainedModel
  ) throws(RunError) -> (Inference, any DataSource) {
    guard InputFile.isKnown(data) else {
      if !Catalog.sets.contains(where: { $0.name == data }), !data.contains(":") {
        let names = Catalog.sets.map(\.name)
        let meant = nearest(data, among: names).map { "did you mean \($0)?" }
        throw RunError(
          .data,
          "--data \(data) is no data set and no file of inputs; "
            + (meant ?? "sets are \(names.joined(separator: ", ")), files end in \(InputFile.endings)"))
      }
      let inference = try model.inference(try model.configuration(data: data), hasOtherData: true)
      return (inference, inference.prepared.dataset.test)
    }
    if data.hasSuffix(".csv") || data.hasSuffix(".csv.gz"), model.configuration["data"]?["format"]?.text == "csv" {
      let configuration: Node
      do throws(ConfigurationError) {
        configuration = try model.configuration.setting(
          "data.test-path", to: Node.text(data).yamlOnOneLine(), source: "--data")
      } catch { throw RunError(error) }
      let inference = try model.inference(configuration, hasOtherData: true)
      return (inference, inference.prepared.dataset.test)
    }
    let inference = try model.inference(model.configuration, hasOtherData: false)
    do throws(DataError) {
      return (inference, try InputFile.read(data, as: inference.prepared.dataset))
    } catch { throw RunError(error) }
  }

  /// The number of the largest scalar, the first of equals.
  private static func largest(_ row: ArraySlice<Float>) -> Int64 {
    var best = row.startIndex
    for index in row.indices where row[index] > row[best] { best = index }
    return Int64(best - row.startIndex)
  }

  private static func write<Scalar: BitwiseCopyable>(
    _ file: String, _ shape: Shape, _ type: Datasets.ScalarType, _ scalars: [Scalar]
  ) throws(DataError) {
    let failure: DataError? = scalars.withUnsafeBytes { bytes in
      do throws(DataError) {
        try NPYFile.write(file, shape: shape, type: type, bytes: bytes)
        return nil
      } catch { return error }
    }
    if let failure { throw failure }
  }
}
