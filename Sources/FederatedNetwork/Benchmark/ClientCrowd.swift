import Datasets
import Federated
import Foundation
import Synchronization
import Tensors

/// Many clients in one process, which do everything but train: for measurements of the wire.
public enum ClientCrowd {
  /// What a crowd does.
  public enum Part: Sendable {
    /// Takes part in a federation: every update is the same, of so many Float32 under a name.
    case federation(parameters: Int)
    /// Moves bytes and nothing else.
    case bare(bytesDown: Int, bytesUp: Int)
  }

  /// Runs clients 0..<keys.count until all are done.  Throws what the first one that failed says.
  public static func run(_ part: Part, _ address: String, keys: [KeyPair], server: [UInt8]) throws(FederatedError) {
    let context = SocketContext(threads: 2)
    let failure = Mutex<FederatedError?>(nil)
    let group = DispatchGroup()
    let shared = Context(value: context)
    for (client, own) in keys.enumerated() {
      group.enter()
      let thread = Thread {
        defer { group.leave() }
        do {
          switch part {
          case .bare(let down, let up):
            try BareTransfer.attend(address, own, server: server, bytesDown: down, bytesUp: up, shared.value)
          case .federation(let parameters):
            let options = ClientOptions(
              address: address, client: client, keys: (own, server), program: "a crowd", patience: 60, stop: -1,
              log: { _ in })
            _ = try FederatedClient(options, store: nil, shared.value).run { _ in IdleClient(parameters: parameters) }
          }
        } catch {
          failure.withLock { $0 = $0 ?? (error as? FederatedError) ?? FederatedError(.internalError, "\(error)") }
        }
      }
      thread.stackSize = 1 << 20
      thread.start()
    }
    group.wait()
    if let failure = failure.withLock({ $0 }) { throw failure }
  }

  /// ZeroMQ's contexts may be shared.
  private struct Context: @unchecked Sendable { let value: SocketContext }
}

/// A client that has one update, whatever it is sent.
private final class IdleClient: VisitingClient {
  let samples = 1
  let termsPerSample = 1
  let memoryCount = 0
  var largestDownload: Int { 8 * image.count + (64 << 10) }
  let memory = UnsafeBufferPointer<Float>(start: nil, count: 0)
  private let image: UnsafeMutableBufferPointer<Float>

  init(parameters: Int) {
    image = .allocate(capacity: parameters)
    image.initialize(repeating: 1e-6)
  }

  deinit { image.deallocate() }

  func take(_ download: SafetensorsView, _ kind: DownloadKind, round: Int) throws(DataError) {}

  func visit(_ order: VisitOrder) throws(FederatedError) -> VisitReport {
    VisitReport(steps: 1, loss: 1, terms: 1, isWhole: true, isAcceptable: true)
  }

  var packed: [SafetensorsWriter.Part] {
    [.init(name: "change", shape: [image.count], floats: UnsafePointer(image.baseAddress.unsafelyUnwrapped))]
  }

  func remember(_ memory: UnsafeBufferPointer<Float>) throws(FederatedError) {}
}
