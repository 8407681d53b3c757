import Federated
import FederatedNetwork
import Glibc
import Testing

@Suite("A server that is stopped says so")
struct StoppedStatusTests {
  @Test("on its status page")
  func stopped() throws {
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    defer { for end in ends { close(end) } }
    let board = StatusBoard(.sample(clients: 2))
    let server = try FederatedServer(
      FederationDescription(task: "trial", clients: 2, wanted: nil, network: NetworkOptions()),
      ServerOptions(
        address: "tcp://127.0.0.1:0", keys: nil, program: "test", stop: ends[0], board: board, log: { _ in }))
    var byte: UInt8 = 1
    #expect(write(ends[1], &byte, 1) == 1)
    let error = #expect(throws: FederatedError.self) { try server.wait(for: 1) }
    #expect(error?.kind == .stopped)
    #expect(board.snapshot.state == .stopped && board.snapshot.ended != nil)
  }
}
