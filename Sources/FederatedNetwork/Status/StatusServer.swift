import CMicroHTTPD
import Federated
import Glibc

/// Serves how a federation stands over HTTP, to be read only: a page (`/`), JSON (`/status.json`) and Prometheus's text
/// (`/metrics`), from a thread of its own that waits without using the CPU.
///
///     let board = StatusBoard(FederationStatus(name: "digits", strategy: "fedavg", rounds: 50, clients: 5, started: now))
///     let page = try StatusServer(at: .parse("http://127.0.0.1:8080"), showing: board)
///     board.update { $0.round += 1 }
///
/// At most 64 connections of 16 KiB, none of them silent for more than 10 s; past 48 a new one ends the one that has been silent
/// longest. There is no encryption and no log-in: beyond the loopback it belongs behind a web server that has both.
public final class StatusServer: Sendable {
  /// Where it is served, with the port that was given out where any was asked for.
  public let address: StatusAddress
  private let daemon: Daemon

  /// Begins to serve. Throws `.usage` for a host that is none, `.refused` where the system does not let it.
  public init(at address: StatusAddress, showing board: StatusBoard) throws(FederatedError) {
    NetworkLibraries.begin()
    let listener = try ListeningSocket(address)
    self.address = listener.address
    daemon = try Daemon(listener, Handler(board, HostRule(bound: listener.address)))
  }
}

/// Ends the thread and closes the connections with the last reference to it.
///
/// `@unchecked Sendable`: the pointer is set once, and the library locks what is behind it.
private final class Daemon: @unchecked Sendable {
  private let pointer: OpaquePointer
  /// The library has only its address.
  private let handler: Handler

  init(_ listener: ListeningSocket, _ handler: Handler) throws(FederatedError) {
    self.handler = handler
    let context = Unmanaged.passUnretained(handler).toOpaque()
    // Its thread inherits that it takes no signal: those are the program's.
    var (all, before) = (sigset_t(), sigset_t())
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &before)
    let daemon = nndist_http_start(
      listener.descriptor, Handler.answer, Handler.notice, context, 64, 10, 16 << 10)
    pthread_sigmask(SIG_SETMASK, &before, nil)
    guard let daemon else {
      close(listener.descriptor)
      throw FederatedError(.refused, "cannot serve the status page at \(listener.address): no thread or memory for it")
    }
    pointer = daemon
  }

  deinit { MHD_stop_daemon(pointer) }
}

/// What the library calls, on its thread.
private final class Handler: Sendable {
  private let board: StatusBoard
  private let hosts: HostRule
  private let connections = ConnectionList(limit: 48)

  init(_ board: StatusBoard, _ hosts: HostRule) {
    self.board = board
    self.hosts = hosts
  }

  private static func of(_ context: UnsafeMutableRawPointer?) -> Handler? {
    context.map { Unmanaged<Handler>.fromOpaque($0).takeUnretainedValue() }
  }

  /// A connection came or goes.
  static let notice: MHD_NotifyConnectionCallback = { context, connection, _, event in
    guard let handler = Handler.of(context) else { return }
    let socket = nndist_http_socket(connection)
    if event == .CONNECTION_NOTIFY_STARTED {
      handler.connections.heard(socket)
    } else {
      handler.connections.ended(socket)
    }
  }

  /// A request's head is there.
  static let answer: MHD_AccessHandlerCallback = { context, connection, path, method, _, _, _, _ in
    guard let handler = Handler.of(context) else { return .NO }
    handler.connections.heard(nndist_http_socket(connection))
    let request = StatusRequest(connection, method: method, path: path)
    let answer = StatusAnswer.to(request, hosts: handler.hosts, at: WallClock.seconds) { handler.board.snapshot }
    return send(answer, on: connection)
  }

  private static func send(_ answer: StatusAnswer, on connection: OpaquePointer?) -> MHD_Result {
    var body = answer.body
    let made = body.withUTF8 {
      MHD_create_response_from_buffer($0.count, UnsafeMutableRawPointer(mutating: $0.baseAddress), .RESPMEM_MUST_COPY)
    }
    guard let response = made else { return .NO }
    defer { MHD_destroy_response(response) }
    for (name, value) in [("Content-Type", answer.contentType)] + StatusAnswer.commonHeaders + answer.headers {
      MHD_add_response_header(response, name, value)
    }
    return MHD_queue_response(connection, answer.code, response)
  }
}

/// The time of day.
public enum WallClock {
  /// Seconds since 1970.
  public static var seconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
