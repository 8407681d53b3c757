import Configuration
import Datasets
import Foundation
import Layers
import Tensors
import Testing

@Suite("Named models")
struct NamedModelTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let input: Signal
    let classes: Int
    let output: Shape
    let parameters: Int
    var testDescription: String { "\(name) for \(input)" }
  }

  /// Counts of parameters as in PyTorch, computed by hand from the layers.
  static let cases = [
    Case(name: "mlp", input: Sample.digits, classes: 10, output: [10], parameters: 301_066),
    Case(name: "mlp", input: Sample.mnist, classes: 10, output: [10], parameters: 669_706),
    Case(name: "mlp", input: Sample.table, classes: 3, output: [3], parameters: 274_947),
    Case(name: "mlp", input: Sample.cifar, classes: 100, output: [100], parameters: 1_887_332),
    Case(name: "cnn", input: Sample.mnist, classes: 10, output: [10], parameters: 421_642),
    Case(name: "cnn", input: Sample.cifar, classes: 10, output: [10], parameters: 545_098),
    Case(name: "cnn", input: Sample.digits, classes: 10, output: [10], parameters: 53_002),
    Case(name: "vgg11", input: Sample.cifar, classes: 10, output: [10], parameters: 9_231_114),
    Case(name: "resnet20", input: Sample.cifar, classes: 10, output: [10], parameters: 272_474),
    Case(name: "resnet32", input: Sample.cifar, classes: 10, output: [10], parameters: 466_906),
    Case(name: "resnet56", input: Sample.cifar, classes: 100, output: [100], parameters: 861_620),
    Case(name: "resnet110", input: Sample.cifar, classes: 10, output: [10], parameters: 1_730_714),
    Case(name: "resnet20", input: Sample.mnist, classes: 10, output: [10], parameters: 272_186),
    Case(name: "gpt", input: Sample.text, classes: 65, output: [64, 65], parameters: 818_176),
    Case(name: "autoencoder", input: Sample.digits, classes: 10, output: [8, 8, 1], parameters: 66_176),
    Case(name: "prototype-encoder", input: Sample.mnist, classes: 10, output: [64], parameters: 111_936),
  ]

  @Test("build for the shape of their data, with as many parameters as in PyTorch", arguments: cases)
  func build(_ example: Case) throws {
    let (model, _) = try LayersTests.build("model: \(example.name)", for: example.input, classes: example.classes)
    #expect(model.name == example.name)
    #expect(model.output.shape == example.output)
    #expect(model.layout.parameterCount == example.parameters)
    let names = model.layout.parameters.map(\.name) + model.layout.states.map(\.name)
    #expect(Set(names).count == names.count)
  }

  @Test("are all built by these tests")
  func all() {
    #expect(Set(Self.cases.map(\.name)) == Set(ModelCatalog.all.map(\.name)))
  }

  @Test(
    "train: what is recorded has the declared shape, and every gradient is finite",
    arguments: [
      ("mlp", Sample.digits), ("cnn", Sample.digits), ("vgg11", Sample.cifar), ("resnet20", Sample.cifar),
      ("gpt", Sample.text), ("prototype-encoder", Sample.mnist),
    ])
  func train(_ name: String, _ input: Signal) throws {
    let (model, _) = try LayersTests.build("model: \(name)", for: input, classes: input.vocabulary ?? 10)
    let trial = Trial(model)
    #expect(trial.output == model.output.shape)
    #expect(trial.gradients.allSatisfy { $0.isFinite })
    #expect(trial.outputs.allSatisfy { $0.isFinite })
    for parameter in model.layout.parameters {
      // A gradient that never flows would stay zero.
      #expect(trial.gradients[parameter.range].contains { $0 != 0 }, "\(parameter.name)")
    }
  }

  @Test(
    "have the parameters of the same PyTorch model, in name, shape and order",
    arguments: [
      ("mlp", Sample.mnist, 10), ("cnn", Sample.mnist, 10), ("resnet20", Sample.cifar, 10), ("gpt", Sample.text, 65),
    ])
  func names(_ name: String, _ input: Signal, _ classes: Int) throws {
    struct Trace: Decodable {
      struct Parameter: Decodable {
        let name: String
        let shape: [Int]
      }
      let parameters: [Parameter]
    }
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Fixtures/traces.safetensors").path
    let text = try #require(try SafetensorsFile.open(path).metadata[name])
    let trace = try JSONDecoder().decode(Trace.self, from: Data(text.utf8))
    let (model, _) = try LayersTests.build("model: \(name)", for: input, classes: classes)
    #expect(model.layout.parameters.map(\.name) == trace.parameters.map(\.name))
    #expect(model.layout.parameters.map(\.shape.dimensions) == trace.parameters.map(\.shape))
  }

  @Test("keep what batch normalisation remembers under PyTorch's names")
  func states() throws {
    let (model, _) = try LayersTests.build("model: resnet20", for: Sample.cifar)
    let weights = model.layout.parameters.map(\.name).filter { $0.hasSuffix(".weight") && $0 != "0.weight" }
      .filter { name in model.layout.parameters.contains { $0.name == name && $0.shape.rank == 1 } }
    let expected = weights.flatMap { name in
      ["running_mean", "running_var"].map { String(name.dropLast(6)) + $0 }
    }
    #expect(model.layout.states.map(\.name) == expected)
    #expect(expected.contains("6.short.1.running_mean"))
  }

  @Test(
    "read their options",
    arguments: [
      ("{name: mlp, widths: [16], dropout: 0.5}", Sample.digits, 64 * 16 + 16 + 170),
      ("{name: mlp, widths: []}", Sample.digits, 650),
      ("{name: cnn, channels: [4], width: 8, dropout: 0.1}", Sample.digits, 40 + 4 * 16 * 8 + 8 + 90),
      ("{name: vgg11, batch-norm: false}", Sample.cifar, 9_225_610),
      ("{name: prototype-encoder, channels: 4, blocks: 2}", Sample.digits, 40 + 8 + 148 + 8),
      ("{name: resnet20, width: 4}", Sample.cifar, 17_534),
      ("{name: gpt, width: 8, heads: 2, depth: 1, context: 64, dropout: 0.1}", Sample.text, 2_440),
    ])
  func options(_ yaml: String, _ input: Signal, _ parameters: Int) throws {
    let (model, _) = try LayersTests.build("model: \(yaml)", for: input, classes: input.vocabulary ?? 10)
    #expect(model.layout.parameterCount == parameters)
  }

  @Test(
    "come back the same from what they resolved to",
    arguments: cases.map { ($0.name, $0.input, $0.classes) } + [
      ("{name: mlp, widths: [3, 4], dropout: 0.25}", Sample.digits, 10),
      ("{name: resnet20, width: 5}", Sample.cifar, 10),
    ])
  func again(_ yaml: String, _ input: Signal, _ classes: Int) throws {
    let first = try LayersTests.build("model: \(yaml)", for: input, classes: classes)
    let text = Node.map(["model": first.resolved]).yaml()
    let second = try LayersTests.build(text, for: input, classes: classes)
    #expect(second.model.layout.parameters == first.model.layout.parameters)
    #expect(second.model.layout.states == first.model.layout.states)
    #expect(second.model.layers.map(\.name) == first.model.layers.map(\.name))
    #expect(Node.map(["model": second.resolved]).yaml() == text)
  }
}
