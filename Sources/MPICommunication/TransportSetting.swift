import Communication
import Glibc

/// How ranks are to be connected, where somebody wants to decide that.
public enum TransportSetting: String, Sendable, CaseIterable {
  /// On one host by what a measurement at the start finds to be faster, for each size of a call; on several with equally many
  /// ranks, in order, through shared memory within each and by messages between them; on others by messages.
  case auto
  /// Through the shared memory of one host; an error where ranks are on several, or it has no room.
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
