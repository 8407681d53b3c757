import Federated
import FederatedNetwork
import Foundation
import Testing

@Suite("A folder of keys") struct KeyFolderTests {
  /// A folder that goes with the last reference to it.
  final class Place {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("keys-\(UUID().uuidString)").path
    var folder: KeyFolder { KeyFolder(path) }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, to name: String) throws {
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
      try setMode(0o600, of: name)
    }

    func text(_ name: String) throws -> String { try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }

    func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: "\(path)/\(name)") }

    func setMode(_ mode: Int, of name: String) throws {
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: "\(path)/\(name)")
    }

    func mode(_ name: String) throws -> Int? {
      try FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")[.posixPermissions] as? Int
    }

    /// Every file, by its path, with what is in it.
    func contents() throws -> [String: String] {
      let names = try FileManager.default.subpathsOfDirectory(atPath: path).filter { $0.contains(".") }
      return Dictionary(uniqueKeysWithValues: try names.map { ($0, try text($0)) })
    }
  }

  /// A folder with keys of so many clients.
  private func place(_ clients: Int) throws -> Place {
    let place = Place()
    _ = try place.folder.make(clients: clients)
    return place
  }

  private func expectError(
    _ kind: FederatedError.Kind, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
  ) {
    do {
      try body()
      Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    } catch let error as FederatedError {
      #expect(error.kind == kind, "\(error)", sourceLocation: sourceLocation)
      for word in words { #expect(error.message.contains(word), "\(error)", sourceLocation: sourceLocation) }
      #expect(!error.message.contains("\n"), sourceLocation: sourceLocation)
    } catch {
      Issue.record(error, sourceLocation: sourceLocation)
    }
  }

  @Test("server and clients read of it the same keys, secrets are their owner's alone, nothing else lies there")
  func round() throws {
    let place = try place(3)
    let server = try place.folder.server()
    #expect(server.clients.values.sorted() == [0, 1, 2])
    for number in 0..<3 {
      let client = try place.folder.client(number)
      #expect(client.client == number)
      #expect(client.server == server.pair.publicKey)
      #expect(server.clients[client.pair.publicKey] == number)
      #expect(Set(client.clients.values) == Set(server.clients.keys))
    }
    #expect(try place.mode("") == 0o700)
    let contents = try place.contents()
    #expect(contents.count == 8)
    for (name, text) in contents {
      #expect(try place.mode(name) == (name.hasSuffix(".secret") ? 0o600 : 0o644))
      #expect(text.hasSuffix("\n") && text.utf8.count == KeyPair.characters + 1)
    }
  }

  @Test("each side needs no more than what it is given") func handedOut() throws {
    let place = try place(3)
    let client = Place()
    try FileManager.default.createDirectory(atPath: client.path + "/clients", withIntermediateDirectories: true)
    let given = KeyFolder.files(of: "1").filter { !$0.contains("*") }
    for name in given { try client.write(try place.text(name), to: name) }
    #expect(try client.folder.client(1).clients.keys.sorted() == [1])
    for name in ["server.public", "clients/0.secret", "clients/1.secret", "clients/2.secret"] { try place.remove(name) }
    #expect(try place.folder.server().clients.count == 3)
    expectError(.data, "public keys but no server.secret") { _ = try client.folder.make(clients: 5) }
  }

  @Test("more clients are added, and no key that exists is changed") func added() throws {
    let place = try place(2)
    let before = try place.contents()
    #expect(try place.folder.make(clients: 5).added == 3)
    let after = try place.contents()
    #expect(after.count == 12)
    #expect(after.merging(before) { _, old in old } == after)
    for clients in [1, 5] {
      expectError(.refused, "5 clients already", "more than 5") { _ = try place.folder.make(clients: clients) }
    }
    #expect(try place.contents() == after)
  }

  @Test(
    "what an interruption left out is made good",
    arguments: [
      ["server.public"], ["clients/2.public"], ["clients/2.public", "clients/2.secret"],
      ["clients/1.public", "clients/2.public", "clients/2.secret"],
    ])
  func interrupted(_ missing: [String]) throws {
    let place = try place(3)
    let before = try place.contents()
    for name in missing { try place.remove(name) }
    let made = try place.folder.make(clients: 3)
    #expect(made.added == missing.filter { $0.hasPrefix("clients/") && $0.hasSuffix(".public") }.count)
    let after = try place.contents()
    #expect(after.count == 8)
    for (name, text) in before {
      // Who holds the secret of a key that was taken away stays shut out.
      let client = name.split(separator: ".")[0]
      #expect((after[name] == text) != missing.contains("\(client).public") || client == "server", "\(name)")
      if client == "server" { #expect(after[name] == text) }
    }
    #expect(try place.folder.server().clients.count == 3)
  }

  @Test("a number of clients that makes no sense is refused before anything is written", arguments: [0, -1, 100_001])
  func number(_ clients: Int) {
    let place = Place()
    expectError(.usage, "--clients is `\(clients)`") { _ = try place.folder.make(clients: clients) }
    #expect(!FileManager.default.fileExists(atPath: place.path))
  }

  @Test("a folder that cannot be made is refused") func unmakeable() throws {
    let place = try place(1)
    expectError(.refused, "server.public/keys") {
      _ = try KeyFolder("\(place.path)/server.public/keys").make(clients: 1)
    }
    expectError(.refused, "none/keys", "No such file") { _ = try KeyFolder("\(place.path)/none/keys").make(clients: 1) }
  }

  @Test(
    "a damaged key is named",
    arguments: [
      "", "\n", "short\n", String(repeating: "\"", count: 40), String(repeating: "a", count: 41),
      "\u{0}" + String(repeating: "a", count: 39),
    ], ["server.secret", "clients/1.public"])
  func damaged(_ text: String, _ name: String) throws {
    let place = try place(2)
    try place.write(text, to: name)
    expectError(.data, "\(name) is damaged") { _ = try place.folder.server() }
  }

  @Test("a missing key is named, with what makes one") func missing() throws {
    let place = try place(2)
    expectError(.data, "clients/7.secret", "nndist keys") { _ = try place.folder.client(7) }
    try place.remove("server.secret")
    expectError(.data, "server.secret", "No such file") { _ = try place.folder.server() }
    try place.remove("server.public")
    expectError(.data, "server.public", "No such file") { _ = try place.folder.client(0) }
    expectError(.data, "none/server.secret") { _ = try KeyFolder("\(place.path)/none").server() }
  }

  @Test("a server without clients, or with a file of no client's number, says so") func clients() throws {
    let place = try place(1)
    try place.write(try place.text("clients/0.public"), to: "clients/01.public")
    expectError(.data, "`01` is no client's number") { _ = try place.folder.server() }
    for name in ["clients/0.public", "clients/01.public"] { try place.remove(name) }
    expectError(.data, "no client's public key") { _ = try place.folder.server() }
  }

  @Test("two clients of one key, and a client of the server's, are refused") func duplicates() throws {
    let place = try place(3)
    try place.write(try place.text("clients/0.public"), to: "clients/2.public")
    expectError(.data, "clients/0.public and ", "clients/2.public hold the same key") { _ = try place.folder.server() }
    try place.write(try place.text("server.public"), to: "clients/2.public")
    expectError(.data, "clients/2.public is the server's own key") { _ = try place.folder.server() }
  }

  @Test("a public key that is not its secret's is refused") func mismatch() throws {
    let place = try place(2)
    try place.write(KeyPair.text(of: KeyPair.random().publicKey) + "\n", to: "clients/1.public")
    expectError(.data, "clients/1.secret", "not of one pair") { _ = try place.folder.client(1) }
    try place.write(KeyPair.text(of: KeyPair.random().publicKey) + "\n", to: "server.public")
    expectError(.data, "server.secret", "not of one pair") { _ = try place.folder.server() }
  }

  @Test("a secret that others may read is refused", arguments: [0o640, 0o604, 0o610, 0o666]) func open(_ mode: Int)
    throws
  {
    let place = try place(1)
    for name in ["server.secret", "clients/0.secret"] { try place.setMode(mode, of: name) }
    expectError(.refused, "chmod 600 \(place.path)/server.secret") { _ = try place.folder.server() }
    expectError(.refused, "chmod 600 \(place.path)/clients/0.secret") { _ = try place.folder.client(0) }
  }

  @Test("what is no file is no key, and nobody waits for it", arguments: ["folder", "pipe"]) func noFile(_ kind: String)
    throws
  {
    let place = try place(1)
    try place.remove("server.secret")
    let path = place.path + "/server.secret"
    if kind == "pipe" {
      #expect(mkfifo(path, 0o600) == 0)
    } else {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }
    expectError(.data, "server.secret is not a file") { _ = try place.folder.server() }
  }
}
