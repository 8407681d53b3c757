import Configuration
import Datasets
import Tensors
import Testing

/// Loads the `data:` section of some YAML.
func load(_ yaml: String, seed: UInt64 = 1, places: SearchPlaces = SearchPlaces(roots: [])) throws -> Dataset {
  var options = Options(try Node.parse(yaml, file: "test.yaml"))
  let data = try DataOptions(&options)
  try options.finish()
  return try data.load(seed: seed, places: places)
}

@Suite("CSV files")
struct CSVTests {
  let folder = Folder()

  @Test("fields are split as RFC 4180 says")
  func fields() throws {
    let text = "\u{FEFF}name, size ,\"a \"\"b\"\", c\"\r\nx, 1 ,\"two\nlines\"\n\n\"y\",2,\n"
    let file = try CSVFile(folder.write("a.csv", text))
    #expect(file.header == ["name", "size", "a \"b\", c"])
    #expect(file.rows.map(\.fields) == [["x", "1", "two\nlines"], ["y", "2", ""]])
    #expect(file.rows.map(\.line) == [2, 5])
    let tabs = try CSVFile(folder.write("b.csv", gzip(Array("1\t2\n3\t4".utf8))), separator: 9)
    #expect(tabs.header == nil)
    #expect(tabs.rows.map(\.fields) == [["1", "2"], ["3", "4"]])
  }

  @Test("numbers stay, texts become categories, the label's texts classes")
  func table() throws {
    let path = folder.write("t.csv", "kind,size,colour\nb,1,red\na,2,blue\nb,3,red\n")
    var table = CSVTable()
    table.label = "kind"
    let (contents, columns) = try table.contents(try CSVFile(path))
    #expect(contents.inputs == ["size", "colour=blue", "colour=red"])
    #expect(contents.numbers == [1, 0, 1, 2, 1, 0, 3, 0, 1])
    #expect(contents.labels == ["b", "a", "b"])
    #expect(columns == [.numeric, .categorical(["blue", "red"])])
    let held = folder.write("h.csv", "kind,size,colour\na,7,green\n")
    #expect(try table.contents(try CSVFile(held), known: columns).0.numbers == [7, 0, 0])
    #expect(CSVTable.classNames(["10", "9", "10"]) == ["9", "10"])
    // Two texts of one number are two classes, in the same order in every process.
    #expect(
      CSVTable.classNames((0..<64).map { String(repeating: "0", count: $0) + "1" }).map(\.count)
        == Array((1...64).reversed()))
  }

  @Test(
    "a number that is not finite is an error, and makes no category of its column", arguments: ["inf", "-inf", "1e99"])
  func infinite(_ text: String) throws {
    let path = folder.write("i.csv", "x,kind\n1,a\n\(text),b\n3,a\n")
    let error = #expect(throws: DataError.self) { try CSVTable().contents(try CSVFile(path)) }
    #expect(error?.description.contains("i.csv:3: column x: `\(text)` is not a finite number") == true)
  }

  @Test("the section's options; numeric columns have mean 0 and deviation 1 over the training rows")
  func section() throws {
    let rows = (0..<50).map { "\($0),\($0 % 2 == 0 ? "even" : "odd"),\(2 * $0)" }.joined(separator: "\n")
    let path = folder.write("s.csv", "x,parity,twice\n" + rows)
    let set = try load("data: {format: csv, path: \(path), label: parity, ignore: [twice], test: 0.2}")
    #expect(set.training.count == 40)
    #expect(set.test.count == 10)
    #expect(set.classNames == ["even", "odd"])
    #expect(set.training.inputShape == [1])
    let values = (0..<40).map { floats(set.training, $0)[0] }
    #expect(abs(values.reduce(0, +) / 40) < 1e-6)
    #expect(abs(values.map { $0 * $0 }.reduce(0, +) / 40 - 1) < 1e-5)
    let regression = try load(
      "data: {format: csv, path: \(path), label: twice, target: values, ignore: [parity], standardise: false}")
    #expect(regression.training.targetShape == [1])
    #expect(regression.training.targetType == .values)
    for index in 0..<40 {
      let (input, target) = sample(regression.training, index)
      #expect(2 * Float(bitPattern: input[0]) == Float(bitPattern: target[0]))
    }
  }

  @Test("what is wrong is said, with the line")
  func refuses() {
    func fault(_ text: String, _ change: (inout CSVTable) -> Void = { _ in }) -> String {
      var table = CSVTable()
      change(&table)
      let path = folder.write("bad.csv", text)
      return message { _ = try table.contents(try CSVFile(path)) }.replacing(path, with: "F")
    }
    #expect(fault("1,2,0\n1,,0\n").hasPrefix("F:2: column 1 has no value"))
    #expect(fault("a,b\n1,0\n?,0\n").hasPrefix("F:3: column a has no value (`?`)"))
    #expect(fault("1,2\n1,2,3\n") == "F:2: 3 fields where line 1 has 2")
    #expect(fault("1,\"2\n1,2\n") == "F:1: a quoted field is never closed")
    #expect(fault("1,\"2\"x\n").hasPrefix("F:1: text follows the closing quote"))
    #expect(fault("") == "F: there are no rows")
    #expect(fault("a,b\n") == "F: there are no rows below the header")
    #expect(fault("a,b\n1,2\n") { $0.label = "c" } == "F has no column `c`; its columns are a, b")
    #expect(fault("1,2\n") { $0.label = "2" }.contains("has no column `2`"))
    #expect(fault("1\n2\n").contains("no column beside the label"))
    #expect(fault("1,\0,2\n").contains("zero byte"))
    #expect(fault("?,1\n") { $0.dropsMissing = true }.contains("no row without missing values"))
  }

  @Test("rows that lack a value can be dropped")
  func drops() throws {
    let path = folder.write("d.csv", "1,2,0\n1,?,0\n3,4,1\n")
    var table = CSVTable()
    table.dropsMissing = true
    #expect(try table.contents(try CSVFile(path)).0.numbers == [1, 2, 3, 4])
  }

  @Test("no mutation traps")
  func fuzzed() throws {
    let good = Array("a,b,\"c d\"\n1,2,x\n3,\"4\",y\n5,6,x\n".utf8)
    try fuzz(good, name: "fuzzed", seed: 3) { _ = try CSVTable().contents(try CSVFile($0)) }
  }
}
