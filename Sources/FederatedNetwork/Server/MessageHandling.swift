import Federated

/// What a server does with the messages of clients that have greeted it.
enum MessageHandling {
  static func handle(_ header: Header, _ body: Frame?, of peer: Peer, by server: FederatedServer) {
    switch header.kind {
    case .ready: ready(body, peer, server)
    case .fetch: fetch(header, peer, server)
    case .alive: break
    case .leave: leave(peer, server)
    case .offer, .piece, .decline, .share:
      guard let exchange = server.exchange, exchange.isExpected(header, of: peer) else {
        // What comes after its round is answered, so that the client lets go of it.
        if header.kind == .offer {
          server.tell(
            peer, .verdict, round: Int(truncatingIfNeeded: header.round & UInt64(Int.max)),
            Verdict(outcome: .late, reason: "the round is over"))
        }
        return
      }
      exchange.handle(header, body, of: peer)
    case .hello, .welcome, .order, .data, .grant, .verdict, .refuse, .finished, .relay, .cancel:
      server.complain(peer, "sent a message of the kind \(header.kind), which only servers send")
    }
  }

  private static func ready(_ body: Frame?, _ peer: Peer, _ server: FederatedServer) {
    guard let ready = Body.read(Ready.self, body), ready.isPossible else {
      return server.complain(peer, "says that it is ready, and makes no sense")
    }
    if let finished = server.finished {
      peer.isReady = true
      return server.tell(peer, .finished, finished)
    }
    if let reason = server.unsuitable(peer, ready) {
      server.complain(peer, "is refused: \(reason)")
      return server.tell(peer, .refuse, Refusal(cause: .unsuitable, reason: reason))
    }
    peer.samples = ready.samples
    peer.held = ready.held
    peer.working = ready.working
    let isNew = peer.process != ready.process
    peer.process = ready.process
    peer.isReady = true
    server.exchange?.ready(peer, isNew: isNew)
  }

  /// Sends pieces of the task or of the round's download, as far as they are asked for.
  private static func fetch(_ header: Header, _ peer: Peer, _ server: FederatedServer) {
    let isTask = header.round == Header.task
    guard let whole = isTask ? server.task : server.exchange?.download(header, peer) else { return }
    let limit = min(header.total, UInt64(whole.bytes.count))
    guard header.offset <= limit, limit - header.offset <= UInt64(Pieces.window) else {
      return server.complain(peer, "fetches bytes \(header.offset) to \(header.total) of \(whole.bytes.count)")
    }
    var offset = Int(header.offset)
    while offset < Int(limit) {
      let piece = Pieces.next(from: offset, of: Int(limit))
      server.tell(
        peer,
        Header(
          .data, session: server.session, round: header.round, offset: UInt64(offset), total: UInt64(whole.bytes.count)),
        Frame(UnsafeRawBufferPointer(rebasing: whole.bytes[piece]), of: whole.owner))
      offset = piece.upperBound
    }
  }

  private static func leave(_ peer: Peer, _ server: FederatedServer) {
    server.log(peer, "\(peer.name) has left")
    server.peers.disconnect(peer)
    peer.hasLeft = true
    server.show(peer, .offline)
  }
}

/// Bytes to be sent, and whoever keeps them.
struct SharedBytes {
  let bytes: UnsafeRawBufferPointer
  let owner: AnyObject
}
