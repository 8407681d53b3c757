import Communication
import Configuration
import Datasets
import Federated
import Tensors

/// Why a run ends early: one line for the user and the code that the process exits with.
public struct RunError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What the process exits with.
  public let code: ExitCode
  /// One line that names file, rank or parameter and says what to do; without `nndist: error:`.
  public let message: String

  /// An error with its exit code.  Control characters are escaped, so that the message stays one line.
  public init(_ code: ExitCode, _ message: String) {
    self.code = code
    self.message = message.onOneLine
  }

  /// The error that any error of the modules below means for a run; what is not known is an internal error.
  public init(_ error: any Error) {
    switch error {
    case let error as RunError: self = error
    case let error as ConfigurationError: self.init(.configuration, error.description)
    case let error as DataError: self.init(error.kind == .unwritable ? .refused : .data, error.description)
    case let error as CheckpointError: self.init(error.kind == .unwritable ? .refused : .checkpoint, error.description)
    case let error as FederatedError: self.init(RunError.code(error.kind), error.message)
    case let error as LibraryError: self.init(.internalError, error.message)
    case let error as CommunicationError: self.init(RunError.code(error.kind), error.message)
    case let error as SystemFailure: self.init(.refused, error.message)
    default: self.init(.internalError, "\(error)")
    }
  }

  private static func code(_ kind: FederatedError.Kind) -> ExitCode {
    switch kind {
    case .configuration: .configuration
    case .data: .data
    case .refused: .refused
    case .diverged: .diverged
    case .usage: .usage
    case .unauthorised: .unauthorised
    case .peerLost: .peerLost
    case .stopped: .stopped
    case .internalError: .internalError
    }
  }

  private static func code(_ kind: CommunicationError.Kind) -> ExitCode {
    switch kind {
    case .peerLost, .timeout: .peerLost
    case .mismatch: .desynchronised
    case .setting: .configuration
    case .library: .internalError
    }
  }

  /// The message.
  public var description: String { message }
}

extension String {
  /// The text with control characters and line separators escaped: messages stay one line, whatever a file contains.
  package var onOneLine: String {
    var result = ""
    for scalar in unicodeScalars {
      switch scalar.value {
      case 0..<0x20, 0x7F...0x9F, 0x2028, 0x2029: result += scalar.escaped(asASCII: true)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
