import Foundation
import Testing

@Suite("A federation that waits does nothing", .serialized)
struct FederationIdleTests {
  @Test("an idle server and an idle client use no processor")
  func idle() throws {
    let federation = try NetworkFederation(
      try FederatedTrial.folder(), FederationExitTests.endless, clients: 5)
    try federation.startServer("--status", "http://127.0.0.1:0")
    // One client of five: the round waits for the others.
    let client = try federation.startClient(0)
    func isOffered() -> Bool { federation.tool.exists("client0/pending.safetensors") }
    #expect(client.wait(until: isOffered))
    // What is measured is work, over a time that any machine has; a poll every 10 ms would be seen.
    var before: [Double] = []
    func used() throws -> [Double] {
      try [federation.server!, client].map { try #require(Measured.processorSeconds($0)) }
    }
    repeat {
      before = try used()
      usleep(200_000)
    } while try used() != before
    usleep(3_000_000)
    for (index, (after, before)) in zip(try used(), before).enumerated() {
      #expect(after - before <= 0.03, "\(index == 0 ? "server" : "client"): \(after - before) s")
    }
  }

  @Test("memory of the server is flat over 200 rounds")
  func memory() throws {
    let changes = ["federated.rounds=200", "federated.epochs=1"].flatMap { ["--set", $0] }
    let federation = try NetworkFederation(
      try FederatedTrial.folder(), FederationExitTests.endless + changes, clients: 5)
    try federation.startServer()
    for client in 0..<5 { try federation.startClient(client) }
    #expect(federation.server.wait { federation.rounds >= 50 })
    let before = try #require(Measured.memory(federation.server))
    let result = federation.expectEnd()
    let peak = try #require(result.json["peak_memory_bytes"] as? Int)
    #expect(peak < before + (8 << 20), "\(before) to \(peak) bytes")
    #expect(result.json["rounds"] as? Int == 200)
  }
}
