import Foundation
import Testing

/// Expects an exit code, one line on standard error that names the thing, and a folder as it was before.
func expectRefusal(
  _ tool: CommandLineTool, _ arguments: [String], _ code: Int32, _ words: [String],
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let before = tool.names()
  let result = try tool.run(arguments)
  result.expectFailure(code, sourceLocation: sourceLocation)
  #expect(result.errorLines.count == 1, "\(result.errors)", sourceLocation: sourceLocation)
  #expect(result.errors.hasPrefix("nndist: error: "), "\(result.errors)", sourceLocation: sourceLocation)
  for word in words {
    #expect(result.errors.contains(word), "no `\(word)` in: \(result.errors)", sourceLocation: sourceLocation)
  }
  #expect(tool.names() == before, "something was left behind", sourceLocation: sourceLocation)
}

@Suite("Bad configurations are exit 3, in one line, with nothing left behind")
struct BadInputConfigurationTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let changes: [String]
    let words: [String]
    var testDescription: String { changes.joined(separator: " ") }

    init(_ changes: String..., says words: [String]) {
      self.changes = changes
      self.words = words
    }
  }

  static let cases = [
    // Unknown keys, with the nearest.
    Case("training.bacth=64", says: ["`bacth`", "`batch`", "training"]),
    Case("trainning.batch=64", says: ["`trainning`", "`training`"]),
    Case("optimizer.momentun=0.9", says: ["`momentun`", "`momentum`"]),
    Case("model.width=[4]", says: ["`width`", "`widths`"]),
    Case("data.vaildation=0.1", says: ["`vaildation`", "`validation`"]),
    // Unknown names.
    Case("model=mpl", says: ["`mpl`", "`mlp`"]),
    Case("data=digit", says: ["digit", "`digits`"]),
    Case("optimizer=sgdm", says: ["sgdm", "`sgd`"]),
    Case("optimizer.schedule=cosin", says: ["cosin", "`cosine`"]),
    Case("strategy=all-reduce", says: ["all-reduce", "`allreduce`"]),
    Case("learning=backprop", says: ["backprop", "backpropagation"]),
    Case("compute.backend=mkl", says: ["mkl", "onednn", "openblas"]),
    Case("training.loss=crossentropy", says: ["crossentropy", "`cross-entropy`"]),
    // Wrong types and units.
    Case("training.batch=many", says: ["training.batch", "many", "whole number", "samples"]),
    Case("training.batch=12.5", says: ["training.batch", "12.5"]),
    Case("training.batch=[1, 2]", says: ["training.batch", "list"]),
    Case("optimizer.learning-rate=fast", says: ["optimizer.learning-rate", "fast"]),
    Case("training=3", says: ["training", "3", "keys and values"]),
    Case("checkpoint.every=3 parsecs", says: ["checkpoint.every", "3 parsecs", "epoch", "step"]),
    Case("training.evaluate=1.5 epochs", says: ["training.evaluate", "1.5 epochs"]),
    Case("model.dropout=yes", says: ["model.dropout", "yes"]),
    // Impossible values.
    Case("training.batch=0", says: ["training.batch", "0"]),
    Case("training.batch=-5", says: ["training.batch", "-5"]),
    Case("training.batch=99999999999999999999", says: ["training.batch"]),
    Case("optimizer.learning-rate=0", says: ["optimizer.learning-rate", "0"]),
    Case("optimizer.learning-rate=-1", says: ["optimizer.learning-rate", "-1"]),
    Case("optimizer.learning-rate=.nan", says: ["optimizer.learning-rate", "nan"]),
    Case("optimizer.learning-rate=.inf", says: ["optimizer.learning-rate", "inf"]),
    Case("training.epochs=2", says: ["epochs", "steps"]),
    Case("training.clip=0", says: ["training.clip", "0"]),
    Case("training.early-stop=3", says: ["early-stop", "data.validation"]),
    Case("training.batch=2", says: ["training.shards", "4", "2 samples"]),
    Case("training.shards=ranks", "training.batch=2", "compute.threads=3", says: ["training.batch", "2", "3 shards"]),
    Case("training.shards=0", says: ["training.shards", "0"]),
    Case("training.shards=some", says: ["training.shards", "some", "ranks"]),
    Case("training.shards=2000", "training.batch=4000", says: ["1438 training samples", "2000 shards"]),
    Case("training.loss=mean-squared-error", says: ["training.loss", "mean-squared-error", "classes"]),
    // Shapes that do not fit, named by layer.
    Case(
      "model={layers: [relu, {convolution: {channels: 2, kernel: 9}}]}", says: ["model.layers.1", "kernel 9", "8×8"]),
    Case("model={layers: [{max-pool: 3}, {max-pool: 3}]}", says: ["model.layers.1", "max-pool", "2×2"]),
    Case("model={layers: [{linear: 10}]}", says: ["model.layers.0", "linear", "8×8×1", "flatten"]),
    Case("model={layers: [flatten, {linear: 7}]}", says: ["model.layers.1", "7", "10 classes"]),
    Case(
      "model={layers: [{convolution: {channels: 10, kernel: 3}}]}", says: ["model.layers.0", "6×6×10", "10 classes"]),
    Case("model={layers: [flatten, {embedding: 4}]}", says: ["model.layers.1", "embedding", "tokens"]),
    Case("model={layers: []}", says: ["model.layers", "empty"]),
    Case("model=vgg11", says: ["vgg11", "max-pool", "1×1"]),
    Case("model=gpt", says: ["gpt", "tokens"]),
  ]

  @Test("keys and values", arguments: cases)
  func value(_ example: Case) throws {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits, to: "a.yaml")
    try expectRefusal(tool, ["train", "a.yaml"] + example.changes.flatMap { ["--set", $0] }, 3, example.words)
  }

  @Test(
    "files that are no configuration",
    arguments: [
      ("name: [a, b", "a.yaml:"), ("a: b: c", "a.yaml:1"), ("\tname: x", "a.yaml:1"), ("- 1\n- 2\n", "a.yaml"),
      ("just words", "a.yaml"), ("", "a.yaml"), ("\u{0}\u{1}binary", "a.yaml"), ("name: a\nname: b\n", "a.yaml:2"),
      ("model: mlp\n", "data"),
    ])
  func file(_ text: String, _ word: String) throws {
    let tool = try CommandLineTool()
    try tool.write(text, to: "a.yaml")
    try expectRefusal(tool, ["train", "a.yaml"], 3, [word])
    try expectRefusal(tool, ["simulate", "a.yaml", "--run", "run"], 3, [word])
  }

  @Test("a file that is not there, or is a folder")
  func missing() throws {
    let tool = try CommandLineTool()
    try expectRefusal(tool, ["train", "none.yaml"], 3, ["none.yaml"])
    try expectRefusal(tool, ["train", "."], 3, ["."])
  }

  @Test("errors of a file name its line")
  func line() throws {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits.replacingOccurrences(of: "batch: 64", with: "bach: 64"), to: "a.yaml")
    try expectRefusal(tool, ["train", "a.yaml"], 3, ["a.yaml:5", "`bach`", "`batch`"])
  }

  @Test("a model without parameters")
  func nothingToTrain() throws {
    let tool = try CommandLineTool()
    try tool.write((0..<30).map { "\($0 % 7),\($0 % 5),\($0 % 2)\n" }.joined(), to: "table.csv")
    try tool.write(CommandLineTool.digits, to: "a.yaml")
    try expectRefusal(
      tool, ["train", "a.yaml", "--set", "data={format: csv, path: table.csv}", "--set", "model={layers: [relu]}"], 3,
      ["no parameters"])
  }

  @Test("more ranks than shards")
  func ranks() throws {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits, to: "a.yaml")
    try expectRefusal(tool, ["simulate", "a.yaml", "--ranks", "5"], 3, ["5 ranks", "training.shards: 4"])
    let before = tool.names()
    try tool.mpirun(ranks: 5, "train", "a.yaml").expectFailure(3, "5 ranks", "training.shards: 4")
    #expect(tool.names() == before)
  }

  @Test("errors that all ranks share are said once under mpirun")
  func once() throws {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits, to: "a.yaml")
    let before = tool.names()
    try tool.mpirun(ranks: 3, "train", "none.yaml").expectFailure(3, "none.yaml")
    try tool.mpirun(ranks: 3, "train", "a.yaml", "--set", "training.bacth=3").expectFailure(3, "bacth")
    try tool.mpirun(ranks: 2, "train", "a.yaml", "--set", "data=mnist").expectFailure(4, "mnist")
    try tool.mpirun(ranks: 2, "train", "a.yaml", "--set", "model.weights=none").expectFailure(5, "none")
    #expect(tool.names() == before)
  }
}
