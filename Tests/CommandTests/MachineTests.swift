import Foundation
import Testing

@Suite("doctor")
struct DoctorTests {
  @Test("It looks at every part of the machine")
  func subjects() throws {
    let result = try CommandLineTool().run("doctor", "--json")
    result.expectSuccess()
    #expect(result.json["fit"] as? Bool == true)
    let findings = try #require(result.json["findings"] as? [[String: Any]])
    let subjects = findings.compactMap { $0["subject"] as? String }
    for subject in ["CPU", "cores", "memory", "oneDNN", "OpenBLAS", "MPI", "mpirun", "/dev/shm", "data", "disk"] {
      #expect(subjects.contains(subject), "no \(subject)")
    }
    for finding in findings {
      #expect(["ok", "warning"].contains(finding["state"] as? String))
      if finding["state"] as? String == "warning" { #expect(finding["remedy"] is String, "\(finding)") }
    }
  }

  @Test("A variable that means nothing is a warning with the nearest that does")
  func variable() throws {
    let result = try CommandLineTool().run("doctor", environment: ["NNDIST_DAAT": "x"])
    result.expectSuccess()
    #expect(result.output.contains("warning  variables"))
    #expect(result.output.contains("did you mean NNDIST_DATA?"))
  }

  @Test("No mpirun is a warning, not a failure")
  func noLauncher() throws {
    let result = try CommandLineTool().run("doctor", environment: ["PATH": "/nowhere"])
    result.expectSuccess()
    #expect(result.output.contains("warning  mpirun"))
  }
}

@Suite("data")
struct DataTests {
  @Test("The list says what is found where, and how to get the rest")
  func list() throws {
    let tool = try CommandLineTool()
    let result = try tool.run("data", "list", "--json", environment: ["NNDIST_DATA": nil])
    result.expectSuccess()
    let sets = try #require(result.json["sets"] as? [[String: Any]])
    let digits = try #require(sets.first { $0["name"] as? String == "digits" })
    #expect(digits["found"] as? Bool == true)
    let mnist = try #require(sets.first { $0["name"] as? String == "mnist" })
    #expect(mnist["found"] as? Bool == false)
    #expect(mnist["remedy"] as? String == "nndist data fetch mnist")
    let people = try tool.run("data", "list", environment: ["NNDIST_DATA": nil])
    people.expectSuccess()
    #expect(people.output.contains("nndist data fetch mnist"))
    #expect(people.output.contains("built in"))
  }

  @Test("A set is found in the folder that NNDIST_DATA names")
  func found() throws {
    let tool = try CommandLineTool()
    for name in [
      "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
    ] { try tool.write(Data(), to: "sets/mnist/\(name)") }
    let result = try tool.run("data", "list", "--json", environment: ["NNDIST_DATA": "sets"])
    let sets = try #require(result.json["sets"] as? [[String: Any]])
    let mnist = try #require(sets.first { $0["name"] as? String == "mnist" })
    #expect(mnist["folder"] as? String == "sets/mnist")
  }

  @Test("A server that is not there is exit 4, says what to do by hand and leaves no file")
  func unreachable() throws {
    let tool = try CommandLineTool()
    try tool.run("data", "fetch", "mnist", "--mirror", "http://127.0.0.1:1/x", "--quiet")
      .expectFailure(4, "http://127.0.0.1:1/x", "NNDIST_DATA")
    #expect(tool.names().filter { $0.contains("ubyte") } == [])
  }

  @Test("An unknown set is exit 4 with the nearest; what is built in needs no download")
  func unknown() throws {
    let tool = try CommandLineTool()
    try tool.run("data", "fetch", "mnits").expectFailure(4, "mnits", "did you mean mnist?")
    try tool.run("data", "fetch", "digits").expectFailure(4, "built in")
  }
}
