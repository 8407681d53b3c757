import Foundation

/// A real browser without a window: Chromium, where there is one on the PATH.
struct Browser {
  /// What a page came to.
  struct Page {
    /// Its document, after its scripts ran for a while.
    let document: String
    /// What it wrote to the console.
    let console: [String]
    /// Every address that it asked for.
    let requests: [String]
    /// A picture of it.
    let screenshot: Data

    /// The text between the tags of the element of a name, which must hold no others.
    func text(_ identifier: String) -> String? {
      guard let start = document.range(of: "id=\"\(identifier)\""),
        let open = document[start.upperBound...].firstIndex(of: ">"),
        let end = document[open...].dropFirst().firstIndex(of: "<")
      else { return nil }
      return String(document[document.index(after: open)..<end])
    }

    /// The contents of every element of a tag and class, tags in them left out.
    func texts(_ tag: String, _ name: String) -> [String] {
      document.components(separatedBy: "<\(tag) class=\"\(name)\"").dropFirst().map { part in
        let inside = part.drop { $0 != ">" }.dropFirst()
        let end = inside.range(of: "</\(tag)>")?.lowerBound ?? inside.endIndex
        return String(inside[..<end].replacing(/<[^>]*>/, with: ""))
      }
    }
  }

  struct Failure: Error, CustomStringConvertible { let description: String }

  /// Where Chromium lies; nil where there is none.
  static let program: String? = {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    return ["chromium", "chromium-browser", "google-chrome"].lazy.flatMap { name in folders.map { "\($0)/\(name)" } }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }()

  static var isPresent: Bool { program != nil }

  /// Opens a page, lets its clock run for so many seconds (which pass at once), and looks.
  static func open(_ address: String, seconds: Int = 3, isDark: Bool = false, width: Int = 1200, height: Int = 900)
    throws -> Page
  {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("browser-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    func file(_ name: String) -> URL { folder.appendingPathComponent(name) }
    for name in ["document", "log"] { try Data().write(to: file(name)) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    process.arguments =
      [
        "--signal=KILL", "90", program ?? "", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--disable-background-networking", "--disable-component-update", "--no-first-run", "--enable-logging=stderr",
        "--user-data-dir=\(file("profile").path)", "--log-net-log=\(file("requests").path)",
        "--virtual-time-budget=\(1000 * seconds)", "--window-size=\(width),\(height)",
        "--screenshot=\(file("page.png").path)", "--dump-dom",
      ] + (isDark ? ["--force-dark-mode"] : []) + [address]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: file("document"))
    process.standardError = try FileHandle(forWritingTo: file("log"))
    try process.run()
    process.waitUntilExit()
    let log = String(decoding: try Data(contentsOf: file("log")), as: UTF8.self)
    guard process.terminationStatus == 0 else { throw Failure(description: "the browser failed: \(log)") }
    return Page(
      document: String(decoding: try Data(contentsOf: file("document")), as: UTF8.self),
      console: log.split(separator: "\n").map(String.init).filter { $0.contains("CONSOLE") },
      requests: try requests(file("requests"), from: address), screenshot: try Data(contentsOf: file("page.png")))
  }

  /// What the page asked for, of all that the browser did.
  private static func requests(_ log: URL, from address: String) throws -> [String] {
    guard let log = try JSONSerialization.jsonObject(with: Data(contentsOf: log)) as? [String: Any],
      let events = log["events"] as? [[String: Any]]
    else { throw Failure(description: "no log of requests") }
    return events.compactMap { event in
      guard let detail = event["params"] as? [String: Any], let url = detail["url"] as? String,
        let initiator = detail["initiator"] as? String
      else { return nil }
      return initiator == address ? url : nil
    }
  }
}
