import Datasets
import Foundation
import Glibc
import Testing

/// A web server for one folder on this machine, stopped when it goes.
final class LocalServer {
  let address: String
  private let process: pid_t

  init(_ folder: String) throws {
    // Port 0 takes a free one; the server says which in its first line.
    var ends: [Int32] = [0, 0]
    pipe(&ends)
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    process = try #require(
      Program.start(
        ["python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", folder], output: ends[1]))
    close(ends[1])
    defer { close(ends[0]) }
    var line = ""
    var byte: UInt8 = 0
    while !line.hasSuffix("\n"), read(ends[0], &byte, 1) == 1 { line.append(Character(Unicode.Scalar(byte))) }
    let port = line.components(separatedBy: "port ").last?.prefix { $0.isNumber } ?? ""
    address = "http://127.0.0.1:\(port)"
    #expect(!port.isEmpty, "the server said: \(line)")
  }

  /// Ends the server.
  func stop() {
    kill(process, SIGTERM)
    _ = Program.wait(process)
  }
}

/// Whether this machine has what these tests need.
let canServe = ["python3", "curl"].allSatisfy { name in
  (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
    FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
  }
}

@Suite("Downloads", .enabled(if: canServe))
struct FetcherTests {
  let served = Folder()
  let cache = Folder()

  func checksum(_ bytes: [UInt8]) -> String {
    var checksum = Checksum()
    checksum.update(bytes)
    return checksum.hexadecimal()
  }

  /// A tar archive of plain files.
  func tar(_ files: [(String, [UInt8])], type: UInt8 = 0x30) -> [UInt8] {
    var archive: [UInt8] = []
    for (name, bytes) in files {
      var header = [UInt8](repeating: 0, count: 512)
      header.replaceSubrange(0..<name.utf8.count, with: Array(name.utf8))
      let size = String(bytes.count, radix: 8)
      header.replaceSubrange(124..<135, with: Array((String(repeating: "0", count: 11 - size.count) + size).utf8))
      header[156] = type
      header.replaceSubrange(148..<156, with: Array("        ".utf8))
      let sum = String(header.reduce(0) { $0 + Int($1) }, radix: 8)
      header.replaceSubrange(148..<154, with: Array((String(repeating: "0", count: 6 - sum.count) + sum).utf8))
      header[154] = 0
      archive += header + bytes + [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
    }
    return archive + [UInt8](repeating: 0, count: 1024)
  }

  @Test("good files arrive, stay when they are good, and are mended when they are not")
  func good() throws {
    let a: [UInt8] = Array("first".utf8)
    let b = (0..<100_000).map { UInt8($0 % 251) }
    served.write("a", a)
    served.write("b", b)
    let server = try LocalServer(served.path)
    defer { server.stop() }
    let fetcher = Fetcher(cache: cache.path, baseAddress: server.address)
    let files = [("a", a), ("b", b)].map {
      PublishedFile(name: $0.0, address: "http://published.invalid/\($0.0)", checksum: checksum($0.1))
    }
    var reports: [String] = []
    try fetcher.fetch(files, into: "\(cache.path)/set") { reports.append($0) }
    #expect(reports == ["fetching \(server.address)/a", "fetching \(server.address)/b"])
    #expect(contents("\(cache.path)/set/b") == b)
    try fetcher.fetch(files, into: "\(cache.path)/set") { reports.append($0) }
    #expect(reports.count == 2)
    cache.write("set/a", "damaged")
    try fetcher.fetch(files, into: "\(cache.path)/set") { reports.append($0) }
    #expect(reports.last == "fetching \(server.address)/a")
    #expect(contents("\(cache.path)/set/a") == a)
  }

  @Test("a wrong checksum, a cut file and a missing one say so and leave nothing")
  func bad() throws {
    let bytes = Array("whole file".utf8)
    served.write("cut", Array(bytes.dropLast(3)))
    served.write("wrong", Array("whole fail".utf8))
    let server = try LocalServer(served.path)
    defer { server.stop() }
    let fetcher = Fetcher(cache: cache.path, baseAddress: server.address)
    func fault(_ name: String) -> String {
      let file = PublishedFile(name: name, address: "", checksum: checksum(bytes))
      return message { try fetcher.fetch([file], into: cache.path) }
    }
    for name in ["cut", "wrong"] {
      #expect(fault(name).hasPrefix("\(server.address)/\(name) has SHA-256 "))
      #expect(fault(name).contains(checksum(bytes)))
    }
    #expect(fault("none").contains("was refused") && fault("none").contains("404"))
    #expect(cache.names.isEmpty)
  }

  @Test("nobody listening is one clear line")
  func offline() throws {
    let server = try LocalServer(served.path)
    let address = server.address
    server.stop()
    let fetcher = Fetcher(cache: cache.path, baseAddress: address)
    let text = message { _ = try fetcher.fetch("mnist") }
    #expect(text.hasPrefix("cannot reach \(address)/train-images-idx3-ubyte.gz"))
    #expect(text.contains("is this machine offline?") && text.contains("NNDIST_DATA"))
    #expect(!text.contains("\n"))
  }

  @Test("archives give their members, and only those")
  func archive() throws {
    let archive = gzip(
      tar([("dir/../../evil", [1]), ("dir/a.bin", Array("A".utf8)), ("dir/b.bin", [UInt8](repeating: 7, count: 1000))]))
    served.write("set.tar.gz", archive)
    let server = try LocalServer(served.path)
    defer { server.stop() }
    let fetcher = Fetcher(cache: cache.path, baseAddress: server.address)
    func file(_ members: [String]) -> PublishedFile {
      PublishedFile(name: "set.tar.gz", address: "", checksum: checksum(archive), members: members)
    }
    #expect(
      message { try fetcher.fetch([file(["a.bin", "none.bin"])], into: cache.path) }.contains("lacks none.bin"))
    try fetcher.fetch([file(["a.bin", "b.bin"])], into: cache.path)
    #expect(cache.names == ["a.bin", "b.bin"])
    #expect(contents("\(cache.path)/b.bin") == [UInt8](repeating: 7, count: 1000))
  }

  @Test("no mutation of an archive traps or writes elsewhere")
  func fuzzed() throws {
    try fuzz(tar([("d/a.bin", [1, 2, 3])]), name: "fuzzed.tar", seed: 7) { path in
      try TarFile.extract(path, ["a.bin"], into: cache.path)
    }
    #expect(cache.names == ["a.bin"])
    let link = served.write("link.tar", tar([("a.bin", [])], type: 0x32))
    #expect(message { try TarFile.extract(link, ["a.bin"], into: cache.path) }.contains("lacks a.bin"))
  }

  @Test("what cannot be fetched says why")
  func refuses() {
    let fetcher = Fetcher(cache: cache.path, baseAddress: "http://127.0.0.1:1")
    #expect(message { _ = try fetcher.fetch("digits") }.contains("built in"))
    #expect(message { _ = try fetcher.fetch("mnits") }.contains("no data set is called mnits"))
    let file = cache.write("file", "x")
    #expect(message { try fetcher.fetch([], into: file + "/below") }.contains("cannot make the folder"))
  }

  @Test(
    "the published sets, from copies of their files", .enabled(if: realData != nil),
    arguments: ["mnist", "fashion-mnist", "tinyshakespeare"])
  func published(name: String) throws {
    let server = try LocalServer("\(realData ?? "")/\(name)")
    defer { server.stop() }
    let fetcher = Fetcher(cache: cache.path, baseAddress: server.address)
    #expect(try fetcher.fetch(name) == "\(cache.path)/\(name)")
    let set = try load("data: \(name)", places: SearchPlaces(roots: [cache.path]))
    #expect(set.training.count > 10000)
  }
}
