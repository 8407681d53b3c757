import Dispatch
import Federated
import Foundation
import Glibc
import Synchronization
import Tensors
import Testing

@Suite("States of clients")
struct ClientStatesTests {
  private static let folder = NSTemporaryDirectory()

  private func value(_ client: Int, _ version: Int, _ index: Int) -> Float {
    Float((client * 7_919 + version * 104_729 + index) % 65_521)
  }

  private func write(_ states: ClientStates, _ client: Int, _ version: Int) throws {
    try expected(states, client, version).withUnsafeBufferPointer { state in
      guard let base = state.baseAddress else { return }
      try states.write(client, from: base)
    }
  }

  private func read(_ states: ClientStates, _ client: Int) throws -> [Float]? {
    var state = [Float](repeating: -1, count: states.floats)
    let found = try state.withUnsafeMutableBufferPointer { state in
      guard let base = state.baseAddress else { return false }
      return try states.read(client, into: base)
    }
    if !found { #expect(state.allSatisfy { $0 == -1 }) }
    return found ? state : nil
  }

  private func expected(_ states: ClientStates, _ client: Int, _ version: Int) -> [Float] {
    (0..<states.floats).map { value(client, version, $0) }
  }

  @Test(
    "What was written last is read, whatever lies in memory and whatever in the file",
    arguments: [1, 37], [0, 1, 3, 20, 1_000])
  func sameAnywhere(floats: Int, fitting: Int) throws {
    let states = ClientStates(floats: floats, memoryLimit: 4 * floats * fitting, spillDirectory: Self.folder)
    var versions: [Int: Int] = [:]
    var random = RandomStream(seed: 4, .test)
    #expect(try read(states, 5) == nil)
    for step in 0..<3_000 {
      let client = random.below(40) * 1_000_003
      switch random.below(8) {
      case 0..<4:
        try write(states, client, step)
        versions[client] = step
      case 4..<7:
        let state = try read(states, client)
        #expect(state == versions[client].map { expected(states, client, $0) })
      default:
        if random.below(4) == 0 {
          states.remove(client)
          versions[client] = nil
        }
      }
      if step == 2_000 {
        states.removeAll()
        versions = [:]
        #expect(states.clients == [])
      }
    }
    #expect(states.clients == versions.keys.sorted())
    for (client, version) in versions { #expect(try read(states, client) == expected(states, client, version)) }
  }

  @Test("Those used least recently leave memory: it alone holds as many as fit")
  func leastRecentlyUsed() throws {
    // A file that takes nothing shows when a state has to leave.
    let full = SpillFile(descriptor: open("/dev/full", O_RDWR), name: "the full disk")
    let states = ClientStates(floats: 16, memoryLimit: 64 * 3 + 63, spillDirectory: nil, file: full)
    for client in 0..<3 { try write(states, client, 0) }
    for client in 0..<3 { try write(states, client, 1) }
    let error = #expect(throws: FederatedError.self) { try write(states, 3, 0) }
    #expect(error?.kind == .refused)
    #expect(
      error?.message == "cannot keep the state of another client (64 bytes) in the full disk: No space left on device; "
        + "free space there, or choose another folder")
    // Nothing was lost, and the client that did not fit has none.
    #expect(states.clients == [0, 1, 2])
    #expect(try read(states, 3) == nil)
    for client in 0..<3 { #expect(try read(states, client) == expected(states, client, 1)) }
    // One leaves of its own accord, and there is room.
    states.remove(1)
    try write(states, 3, 2)
    #expect(try read(states, 3) == expected(states, 3, 2))
    #expect(states.clients == [0, 2, 3])
  }

  @Test("Which state leaves: the one neither read nor written for longest")
  func order() throws {
    var path = Array("\(Self.folder)/states-XXXXXX".utf8CString)
    let descriptor = mkstemp(&path)
    unlink(path)
    let states = ClientStates(
      floats: 16, memoryLimit: 64 * 3, spillDirectory: nil, file: SpillFile(descriptor: descriptor, name: "a file"))
    for client in 0..<3 { try write(states, client, 0) }
    _ = try read(states, 0)
    try write(states, 1, 1)
    try write(states, 3, 0)
    // Only client 2 can be in the file.
    var spilt = [Float](repeating: 0, count: 16)
    #expect(lseek(descriptor, 0, SEEK_END) == 64)
    #expect(pread(descriptor, &spilt, 64, 0) == 64)
    #expect(spilt == expected(states, 2, 0))
    try write(states, 4, 0)
    #expect(pread(descriptor, &spilt, 64, 64) == 64)
    #expect(spilt == expected(states, 0, 0))
    // A client has one slot for good: the file grows with clients, not with moves.
    for version in 1..<50 { for client in 0..<5 { try write(states, client, version) } }
    #expect(lseek(descriptor, 0, SEEK_END) <= 5 * 64)
  }

  @Test("Without a folder, more than fits is refused in one line")
  func refusal() throws {
    let states = ClientStates(floats: 256, memoryLimit: 2_048, spillDirectory: nil)
    try write(states, 0, 0)
    try write(states, 1, 0)
    let error = #expect(throws: FederatedError.self) { try write(states, 2, 0) }
    #expect(error?.kind == .refused)
    #expect(
      error?.message
        == "the states of 3 clients need 3072 bytes, more than the limit of 2048; raise it or name a folder for the "
        + "rest")
    let nowhere = ClientStates(floats: 1, memoryLimit: 0, spillDirectory: "/nonexistent/folder")
    try write(nowhere, 0, 0)
    let missing = #expect(throws: FederatedError.self) { try write(nowhere, 1, 0) }
    #expect(
      missing?.message == "cannot keep client states in /nonexistent/folder: No such file or directory")
  }

  @Test("The file has no name")
  func nameless() throws {
    let folder = "\(Self.folder)/states-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let states = ClientStates(floats: 8, memoryLimit: 0, spillDirectory: folder)
    for client in 0..<10 { try write(states, client, 0) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
    for client in 0..<10 { #expect(try read(states, client) == expected(states, client, 0)) }
  }

  @Test("Clients of many threads do not mix", arguments: [1, 2, 5, 64])
  func threads(fitting: Int) {
    let floats = 1_024
    let states = ClientStates(floats: floats, memoryLimit: 4 * floats * fitting, spillDirectory: Self.folder)
    let faults = Mutex<[String]>([])
    DispatchQueue.concurrentPerform(iterations: 8) { worker in
      do {
        for version in 0..<60 {
          // Each worker has clients of its own.
          for client in stride(from: worker, to: 40, by: 8) {
            let before = try read(states, client)
            let wanted = version == 0 ? nil : expected(states, client, version - 1)
            if before != wanted { faults.withLock { $0.append("client \(client) in version \(version)") } }
            try write(states, client, version)
          }
        }
      } catch {
        faults.withLock { $0.append("\(error)") }
      }
    }
    #expect(faults.withLock { $0 } == [])
    #expect(states.clients == Array(0..<40))
  }
}
