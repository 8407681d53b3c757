import Datasets
import Foundation
import Tensors
import Testing

@Suite("Graphs in files")
struct GraphSetTests {
  let folder = Folder()

  /// Twelve nodes of two features in three classes, two without a class, one of them isolated.
  private func write(
    nodes: String? = nil, edges: String = "from,to\n0,1\n1,2\n\n2,0\n3,4\n1,0\n4,4\n9,10\n", sets: String? = nil
  ) {
    let classes = ["b", "a", "c", "a", "b", "c", "a", "b", "c", "a", "", "-1"]
    let rows = classes.enumerated().map { "\($0),-\($0 + 1),\($1)" }.joined(separator: "\n")
    folder.write("nodes.csv", nodes ?? "x,y,kind\n" + rows + "\n")
    folder.write("edges.csv", edges)
    if let sets { folder.write("split.txt", sets) }
  }

  private func graph(_ more: String = "") throws -> Dataset {
    try load("data: {format: graph, path: \(folder.path)\(more)}")
  }

  private func targets(_ source: (any DataSource)?) -> [Int32] {
    source.map { sample($0, 0).target.map { Int32(bitPattern: $0) } } ?? []
  }

  private func edges(_ source: any DataSource) -> [[Int32]] {
    (source.graph?.edges ?? []).map { [$0.source, $0.target] }
  }

  @Test("a graph is one sample; its sets have the same features and edges, and classes for their nodes alone")
  func given() throws {
    write(sets: "train\ntrain\nval\nvalidation\ntest\ntest\nnone\nnone\ntrain\ntest\ntrain\nnone\n")
    let set = try graph(", split: given")
    let validation = try #require(set.validation)
    for source in [set.training, validation, set.test] {
      #expect(source.count == 1)
      #expect(source.inputShape == [12, 2])
      #expect(source.targetShape == [12])
      #expect(source.targetType == .classes(3))
      #expect(floats(source, 0).prefix(4) == [0, -1, 1, -2])
      #expect(source.graph === set.training.graph)
      #expect(source.label(0) == nil)
    }
    #expect(set.classNames == ["a", "b", "c"])
    #expect(targets(set.training) == [1, 0, -1, -1, -1, -1, -1, -1, 2, -1, -1, -1])
    #expect(targets(validation) == [-1, -1, 2, 0, -1, -1, -1, -1, -1, -1, -1, -1])
    #expect(targets(set.test) == [-1, -1, -1, -1, 1, 2, -1, -1, -1, 0, -1, -1])
    #expect([set.training, validation, set.test].map(\.termsPerSample) == [3, 2, 3])
    #expect(set.origin.contains("12 nodes") && set.origin.contains("3 nodes train, 2 validate, 3 test"))
  }

  @Test("edges lead both ways, once, and not from a node to itself; or one way where they are directed")
  func edges() throws {
    write()
    let both =
      [[1, 0], [2, 0], [0, 1], [2, 1], [0, 2], [1, 2], [4, 3], [3, 4], [10, 9], [9, 10]] as [[Int32]]
    #expect(try edges(graph().training) == both)
    let directed = [[1, 0], [2, 0], [0, 1], [1, 2], [3, 4], [9, 10]] as [[Int32]]
    #expect(try edges(graph(", directed: true").training) == directed)
    write(edges: "")
    #expect(try edges(graph().training).isEmpty)
  }

  @Test("a random split gives every node with a class to one set; the five folds test each once")
  func random() throws {
    write()
    var tested = [Int](repeating: 0, count: 12)
    for fold in 0..<5 {
      let set = try graph(", fold: \(fold)")
      let sets = [set.training, set.validation, set.test].map(targets)
      #expect(sets.map { $0.count { $0 >= 0 } } == [7, 1, 2])
      for node in 0..<12 {
        #expect(sets.count { $0[node] >= 0 } == (node < 10 ? 1 : 0))
        if sets[2][node] >= 0 { tested[node] += 1 }
      }
      #expect(targets(try graph(", fold: \(fold)").test) == sets[2])
    }
    #expect(tested == [Int](repeating: 1, count: 10) + [0, 0])
    let other = try load("data: {format: graph, path: \(folder.path)}", seed: 2)
    #expect(targets(other.training) != targets(try graph().training))
    #expect(other.fingerprint() != (try graph()).fingerprint())
  }

  @Test("features are scaled by row where asked for; a row of zeros stays")
  func scales() throws {
    write(nodes: "x,y,kind\n0,0,a\n3,-4,b\n1,0,a\n1,1,b\n2,2,a\n", edges: "0,1\n")
    #expect(try floats(graph().training, 0).prefix(4) == [0, 0, 3, -4])
    #expect(try floats(graph(", scale: sum").training, 0).prefix(4) == [0, 0, Float(3.0 / 7), Float(-4.0 / 7)])
    #expect(try floats(graph(", scale: length").training, 0).prefix(4) == [0, 0, 0.6, -0.8])
  }

  @Test("arrays in place of a table")
  func arrays() throws {
    folder.write("edges.csv", "0,1\n")
    let labels: [Int32] = [0, 1, -1, 2, 1]
    try NPYFile.write("\(folder.path)/x.npy", shape: [5, 2], floats: (0..<10).map { Float($0) })
    try labels.withUnsafeBytes { try NPYFile.write("\(folder.path)/y.npy", shape: [5], type: .int32, bytes: $0) }
    folder.write("split.txt", "train\ntest\ntrain\ntrain\nnone\n")
    let set = try graph(", split: given")
    #expect(targets(set.training) == [0, -1, -1, 2, -1])
    #expect(set.validation == nil)
    #expect(set.classes == 3)
    try NPYFile.write("\(folder.path)/x.npy", shape: [5, 1], floats: [1, 2, .infinity, 4, 5])
    #expect(message { _ = try graph() }.contains("x.npy: row 2 holds a number that is not finite"))
    try NPYFile.write("\(folder.path)/x.npy", shape: [4, 1], floats: [1, 2, 3, 4])
    #expect(message { _ = try graph() }.contains("y.npy: [5] of I32 is not a whole number for each row"))
  }

  @Test("a bad edge is named with file, line, index and the count of nodes")
  func badEdges() throws {
    let cases = [
      ("0,1\n1,12\n", "edges.csv:2: node 12 is not one of the 12 nodes, 0 to 11"),
      ("0,1\n\n-1,3\n", "edges.csv:3: node -1 is not one of the 12 nodes"),
      ("0,1\n1\n", "edges.csv:2: 1 fields"), ("0,1,1\n", "edges.csv:1: 3 fields"),
      ("0,1\n1,b\n", "edges.csv:2: `b` is not a whole number"), ("1.0,2\n", "edges.csv:1: `1.0` is not a whole number"),
      ("0,99999999999999999999\n", "edges.csv:1: `99999999999999999999` is not a whole number"),
    ]
    for (edges, words) in cases {
      write(edges: edges)
      let text = message { _ = try graph() }
      #expect(text.contains(words), "\(text)")
    }
  }

  @Test("bad nodes and splits are named with file and line")
  func badNodes() throws {
    let cases = [
      ("x,kind\n1,a\ninf,b\n", "nodes.csv:3: column x: `inf` is not a finite number"),
      ("x,kind\n1,a\n,b\n", "nodes.csv:3: column x: `` is not a finite number"),
      ("x,kind\n1,a\n2\n", "nodes.csv:3: 1 fields where line 1 has 2"), ("x,kind\n", "no rows"), ("", "no rows"),
      ("kind\na\nb\n", "no column beside the class"), ("x,kind\n1,\n2,-1\n", "0 classes"),
      ("x,kind\n1,a\n2,b\n", "no node with a class is there to test on"),
    ]
    for (nodes, words) in cases {
      write(nodes: nodes, edges: "")
      let text = message { _ = try graph() }
      #expect(text.contains(words), "\(text)")
    }
    write(sets: "train\ntest\n")
    #expect(message { _ = try graph(", split: given") }.contains("split.txt: 2 lines for 12 nodes"))
    write(sets: "train\ntest\nhold\n" + String(repeating: "none\n", count: 9))
    #expect(message { _ = try graph(", split: given") }.contains("split.txt:3: `hold` is no set"))
    try FileManager.default.removeItem(atPath: "\(folder.path)/edges.csv")
    #expect(message { _ = try graph() }.contains("does not hold edges.csv"))
  }

  @Test("a share for validation is refused, for graphs bring a set of their own; so is a fold of a given split")
  func keys() {
    write()
    #expect(message { _ = try graph(", validation: 0.1") }.contains("brings a validation set of its own"))
    #expect(message { _ = try load("data: {name: cora, validation: 0.1}") }.contains("cora brings a validation set"))
    #expect(message { _ = try graph(", split: given, fold: 1") }.contains("data.fold is 1"))
    #expect(message { _ = try graph(", subset: 2") }.contains("data.subset asks for 2 samples and training has 1"))
    #expect(
      message { _ = try load("data: cora", places: SearchPlaces(roots: ["/nowhere"])) }
        == "data set cora is not in /nowhere/planetoid; run `launch/planetoid-texts FOLDER`")
    #expect(message { _ = try Fetcher(cache: "/nowhere").fetch("cora") }.contains("launch/planetoid-texts"))
  }

  @Test("whatever becomes of the files, they read well or are refused by name")
  func fuzzed() throws {
    let good = "0,1\n1,2\n\n2,0\n3,4\n"
    write()
    try fuzz(Array(good.utf8), name: "edges.csv", seed: 11) { path in
      folder.write("edges.csv", contents(path))
      do { _ = try graph() } catch let error as DataError {
        throw DataError(error.kind, error.description.replacingOccurrences(of: folder.path + "/edges.csv", with: path))
      }
    }
    write(edges: "")
    try fuzz(contents("\(folder.path)/nodes.csv"), name: "nodes.csv", seed: 12) { path in
      folder.write("nodes.csv", contents(path))
      do { _ = try graph() } catch let error as DataError {
        let text = error.description.replacingOccurrences(of: folder.path + "/nodes.csv", with: path)
        throw DataError(error.kind, text.replacingOccurrences(of: folder.path + ":", with: path + ":"))
      }
    }
  }
}

@Suite(
  "Planetoid's graphs",
  .enabled(if: FileManager.default.fileExists(atPath: (realData ?? "") + "/planetoid/plain/cora.edges.txt")))
struct PlanetoidTests {
  private let places = SearchPlaces(roots: [realData ?? ""])

  @Test(
    "have the published counts",
    arguments: [
      ("cora", 2708, 1433, 7, 5278, [140, 500, 1000], 49216),
      ("citeseer", 3327, 3703, 6, 4552, [120, 500, 1000], 105_165),
    ])
  func counts(
    _ name: String, _ nodes: Int, _ features: Int, _ classes: Int, _ edges: Int, _ sets: [Int], _ ones: Int
  ) throws {
    let set = try load("data: {name: \(name), scale: none}", places: places)
    let validation = try #require(set.validation)
    let graph = try #require(set.training.graph)
    #expect(set.training.inputShape == [nodes, features])
    #expect(set.classes == classes)
    #expect(graph.edgeCount == 2 * edges)
    #expect([set.training, validation, set.test].map(\.termsPerSample) == sets)
    #expect(floats(set.training, 0).reduce(0, +) == Float(ones))
    // Citations have no direction.
    for node in 0..<nodes { #expect(graph.incoming.degree(node) == graph.outgoing.degree(node)) }
    // Twenty of each class train.
    let classesOfTraining = sample(set.training, 0).target.map { Int32(bitPattern: $0) }.filter { $0 >= 0 }
    #expect((0..<Int32(classes)).allSatisfy { number in classesOfTraining.count { $0 == number } == 20 })
    let rows = floats(try load("data: \(name)", places: places).training, 0)
    for node in [0, 1, nodes - 1] {
      let sum = rows[node * features..<(node + 1) * features].reduce(0, +)
      #expect(abs(sum - 1) < 1e-5)
    }
  }

  @Test(
    "split at random keep 64, 16 and 20 % of the nodes with a class", arguments: [("cora", 2708), ("citeseer", 3312)])
  func random(_ name: String, _ labelled: Int) throws {
    let set = try load("data: {name: \(name), split: random, fold: 4}", places: places)
    let validation = try #require(set.validation)
    let sizes = [set.training, validation, set.test].map(\.termsPerSample)
    #expect(sizes.reduce(0, +) == labelled)
    for (size, share) in zip(sizes, [0.64, 0.16, 0.2]) { #expect(abs(Double(size) / Double(labelled) - share) < 0.001) }
  }

  @Test("isolated nodes are there, without a class")
  func isolated() throws {
    let set = try load("data: citeseer", places: places)
    let graph = try #require(set.training.graph)
    #expect((0..<3327).count { graph.incoming.degree($0) == 0 } == 48)
  }

  @Test("damaged files are named with line and number")
  func damaged() throws {
    let folder = Folder()
    func restore() {
      for part in ["features", "labels", "edges", "split"] {
        folder.write("plain/cora.\(part).txt", contents("\(realData ?? "")/planetoid/plain/cora.\(part).txt"))
      }
    }
    for (part, line, words) in [
      ("edges", "0 2708", "cora.edges.txt:5279: node 2708 is not one of the 2708 nodes"),
      ("labels", "3", "cora.labels.txt: 2709 lines for 2708 nodes"),
      ("split", "train", "cora.split.txt: 2709 lines for 2708 nodes"),
      ("features", "1", "cora.features.txt: 2709 lines for 2708 nodes"),
    ] {
      restore()
      let path = "\(folder.path)/plain/cora.\(part).txt"
      folder.write("plain/cora.\(part).txt", contents(path) + Array("\(line)\n".utf8))
      let text = message { _ = try load("data: {name: cora, path: \(folder.path)}") }
      #expect(text.contains(words), "\(text)")
    }
    restore()
    folder.write("plain/cora.labels.txt", String(repeating: "7\n", count: 2708))
    #expect(message { _ = try load("data: {name: cora, path: \(folder.path)}") }.contains("cora.labels.txt:1: class 7"))
    folder.write("plain/cora.features.txt", String(repeating: "1433\n", count: 2708))
    #expect(
      message { _ = try load("data: {name: cora, path: \(folder.path)}") }.contains("cora.features.txt:1: feature 1433")
    )
  }
}
