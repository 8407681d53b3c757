import Foundation

/// A process of this host, as /proc shows it.
struct HostProcess {
  let identifier: pid_t
  let session: pid_t
  /// Whether it has ended and only waits for its parent.
  let hasEnded: Bool

  /// All processes that can be seen.
  static var all: [HostProcess] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { pid_t($0) }.compactMap { HostProcess($0) }
  }

  /// Reads `PID (NAME) STATE PARENT GROUP SESSION …`; nil for a process that is gone.
  private init?(_ identifier: pid_t) {
    guard let data = FileManager.default.contents(atPath: "/proc/\(identifier)/stat") else { return nil }
    // The name may hold anything, brackets too.
    let text = String(decoding: data, as: UTF8.self)
    guard let end = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ")
    guard fields.count > 3, let session = pid_t(fields[3]) else { return nil }
    self.identifier = identifier
    self.session = session
    hasEnded = fields[0] == "Z" || fields[0] == "X"
  }
}
