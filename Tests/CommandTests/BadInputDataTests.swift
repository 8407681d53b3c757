import Foundation
import Testing

@Suite("Bad data are exit 4, in one line, with nothing left behind")
struct BadInputDataTests {
  private func folder() throws -> CommandLineTool {
    let tool = try CommandLineTool()
    try GeneratedData.writeIDX(tool)
    try tool.write(CommandLineTool.digits, to: "a.yaml")
    return tool
  }

  private func expect(
    _ tool: CommandLineTool, _ words: String..., data: String = "{format: idx, path: images}",
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try expectRefusal(
      tool, ["train", "a.yaml", "--set", "data=\(data)"], 4, words, sourceLocation: sourceLocation)
  }

  private let labels = "images/train-labels-idx1-ubyte"
  private let pictures = "images/train-images-idx3-ubyte"

  @Test("sets that are not there say where they were looked for, and how to get them", arguments: ["mnist", "cifar10"])
  func missing(_ name: String) throws {
    try expect(try folder(), name, "nndist data fetch \(name)", data: name)
  }

  @Test("files that are not there")
  func missingFiles() throws {
    let tool = try folder()
    try FileManager.default.removeItem(atPath: tool.path(labels))
    try expect(tool, "images", "train-labels-idx1-ubyte")
    try expect(tool, "nowhere", data: "{format: idx, path: nowhere}")
    try expect(tool, "none.csv", data: "{format: csv, path: none.csv}")
  }

  @Test("a file that ends too early, or too late")
  func length() throws {
    let tool = try folder()
    let whole = try tool.data(pictures)
    for count in [0, 3, 10, 16, whole.count - 1] {
      try tool.write(whole.prefix(count), to: pictures)
      try expect(tool, pictures)
    }
    try tool.write(whole + Data([0]), to: pictures)
    try expect(tool, pictures)
  }

  @Test("a wrong magic number, absurd extents")
  func magic() throws {
    let tool = try folder()
    let whole = try tool.data(pictures)
    try tool.write(Data([1]) + whole.dropFirst(), to: pictures)
    try expect(tool, pictures, "IDX")
    try tool.write(whole.prefix(4) + Data(repeating: 0xFF, count: 12) + whole.dropFirst(16), to: pictures)
    try expect(tool, pictures)
  }

  @Test("labels without a class, and another number of labels than of images")
  func classes() throws {
    let tool = try folder()
    try tool.write(GeneratedData.idx([203], Array(repeating: 3, count: 202)), to: labels)
    try expect(tool, labels)
    try tool.write(GeneratedData.idx([202], Array(repeating: 3, count: 202)), to: labels)
    try expect(tool, labels, "202", "203")
    // Test labels that training does not have.
    try GeneratedData.writeIDX(tool)
    try tool.write(GeneratedData.idx([50], Array(repeating: 9, count: 50)), to: "images/t10k-labels-idx1-ubyte")
    try expect(tool, "images/t10k-labels-idx1-ubyte", "9")
    try GeneratedData.writeCIFAR(tool)
    var batch = try tool.data("photographs/data_batch_1.bin")
    batch[3073 * 5] = 10
    try tool.write(batch, to: "photographs/data_batch_1.bin")
    try expect(tool, "data_batch_1.bin", "label 10", "sample 5", data: "{format: cifar, path: photographs}")
    try tool.write(batch.dropLast(), to: "photographs/data_batch_1.bin")
    try expect(tool, "data_batch_1.bin", data: "{format: cifar, path: photographs}")
  }

  @Test("gzip that is damaged or cut off")
  func gzip() throws {
    let tool = try folder()
    let result = try tool.run(program: ["gzip", pictures])
    result.expectSuccess()
    let whole = try tool.data("\(pictures).gz")
    try tool.run("train", "a.yaml", "--set", "data={format: idx, path: images}").expectSuccess()
    try tool.write(whole.prefix(whole.count / 2), to: "\(pictures).gz")
    try expect(tool, "\(pictures).gz")
    var flipped = whole
    flipped[whole.count / 2] ^= 0xFF
    try tool.write(flipped, to: "\(pictures).gz")
    try expect(tool, "\(pictures).gz")
    try tool.write(Data("no gzip at all".utf8), to: "\(pictures).gz")
    try expect(tool, "\(pictures).gz")
  }

  @Test("texts that are too short, arrays that are none")
  func others() throws {
    let tool = try folder()
    try tool.write("short", to: "short.txt")
    try expect(tool, "short.txt", "context", data: "{format: text, path: short.txt}")
    try tool.write("no array", to: "arrays/x.npy")
    try tool.write("no array", to: "arrays/y.npy")
    try expect(tool, "x.npy", data: "{format: npy, path: arrays}")
    try tool.write("no archive", to: "a.npz")
    try expect(tool, "a.npz", data: "{format: npz, path: a.npz}")
    try tool.write("1,2,0\n1,x,1\n", to: "a.csv")
    try expect(tool, "a.csv", "2", data: "{format: csv, path: a.csv}")
  }
}
