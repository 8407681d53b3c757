import Communication
import Glibc

/// How ranks are to be connected, where somebody wants to decide that.
public enum TransportSetting: String, Sendable, CaseIterable {
  /// By what a measurement at the start finds to be faster, for each size of a call.
  case auto
  /// Through shared memory wherever that is possible; an error where it is not.
  case window
  /// By messages of MPI.
  case messages

  /// The environment variable that sets it.
  public static let variable = "NNDIST_TRANSPORT"

  /// What the environment sets, `auto` where it says nothing. Another word is a `.setting` error.
  public static func fromEnvironment() throws(CommunicationError) -> TransportSetting {
    guard let text = getenv(variable).map({ String(cString: $0) }) else { return .auto }
    guard let setting = TransportSetting(rawValue: text) else {
      let words = allCases.map(\.rawValue).joined(separator: ", ")
      throw CommunicationError(.setting, "\(variable) is `\(text)`; it takes one of \(words)")
    }
    return setting
  }
}
