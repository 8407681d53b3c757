import FederatedNetwork
import Training

extension RunError {
  /// What an error of the wire means for the process.
  init(_ error: NetworkError) {
    let code: ExitCode =
      switch error.kind {
      case .configuration: .configuration
      case .usage: .usage
      case .unauthorised: .unauthorised
      case .peerLost, .protocolViolation: .peerLost
      case .refused: .refused
      case .data: .data
      case .stopped: .stopped
      case .internal: .internalError
      }
    self.init(code, error.message)
  }
}
