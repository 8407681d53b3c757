import Datasets
import Federated

/// What comes from the server: the task, and what rounds begin with.
extension FederatedClient {
  /// Asks for what is missing, as far as may be on its way.
  func ask() {
    guard var fetch else { return }
    let limit = min(fetch.assembly.total, fetch.assembly.received + Pieces.window)
    guard fetch.asked < limit, limit == fetch.assembly.total || limit - fetch.asked >= Pieces.window / 2 else { return }
    send(.fetch, round: fetch.round, offset: fetch.asked, total: limit)
    fetch.asked = limit
    self.fetch = fetch
  }

  func came(_ header: Header, _ body: Frame?, _ make: (String) throws -> any VisitingClient) throws {
    guard let fetch, fetch.round == header.round, let body, fetch.assembly.add(body.bytes, at: header.offset) else {
      return
    }
    guard fetch.assembly.isWhole else { return ask() }
    self.fetch = nil
    guard fetch.round == Header.task else { return try fetched(fetch.assembly, fetch.kind ?? .whole) }
    let bytes = withExtendedLifetime(fetch.assembly) { Array(fetch.assembly.bytes) }
    guard let welcome, Digests.sha256(bytes) == welcome.federation else {
      throw FederatedError(.peerLost, "the task that came from \(options.address) is damaged; start the client again")
    }
    let remote = try make(String(decoding: bytes, as: UTF8.self))
    self.remote = remote
    try restore(remote, welcome)
    try beReady()
  }

  /// What was remembered and what was pending when the client ended.
  func restore(_ remote: any VisitingClient, _ welcome: Welcome) throws {
    guard let store else { return }
    if let memory = try store.memory(of: welcome.federation), memory.count == remote.memoryCount {
      try memory.withUnsafeBufferPointer { (memory) throws in try remote.remember(memory) }
    }
    if let saved = try store.revealed(of: welcome.federation) { revealed = saved }
    if let saved = try store.pending(of: welcome.federation), saved.memory.count == remote.memoryCount {
      pending = saved
    }
  }

  func fetched(_ assembly: Assembly, _ kind: DownloadKind) throws {
    guard let remote, let order else { return }
    let view = try SafetensorsView(assembly.bytes, name: "the download of round \(order.order.round + 1)")
    try remote.take(view, kind, round: order.order.round)
    summary.bytesDown += view.tensors.values.reduce(0) { $0 + $1.range.count }
    held = order.order.round
    spare = assembly
    train(order)
  }
}
