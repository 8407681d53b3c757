import Configuration
import Datasets
import Foundation
import Reporting
import Training

/// `nndist data list|fetch NAME|partition CONFIG`: the data sets that configurations can name, and who gets what of them.
enum DataVerb: Verb {
  static let name = "data"
  static let usage = "data list | fetch NAME | partition CONFIG"
  static let summary = "lists the data sets there are, downloads others, shows what federated clients get"
  static let details = """
    Sets are looked for in the folder that NNDIST_DATA names, in ~/.cache/nndist, and where Debian's packages put them, \
    each in a folder of its own name. What is downloaded is checked against its SHA-256 and then kept in ~/.cache/nndist; a \
    download that breaks off leaves nothing behind.

    partition CONFIG: gives the training samples to the clients of `federated: {clients: …, partition: …}` and draws how many \
    of each class every client holds, of more than 30 clients the first 30. nndist help partitions has the kinds.

    Examples:
      nndist data list
      nndist data fetch mnist
      nndist data partition c.yaml --set federated.partition='{name: dirichlet, alpha: 0.1}'
    """
  static let mirror = Flag("--mirror", "URL", "downloads the files from this address in place of the published one")
  static let into = Flag("--into", "DIR", "keeps the set in DIR/NAME (default ~/.cache/nndist)")
  static let flags: [Flag] = [mirror, into, .set, .json, .quiet]
  static let words = 1...2

  private static let actions = ["list", "fetch", "partition"]

  static func run(_ arguments: Arguments) throws(RunError) -> ExitCode {
    let action = arguments.positional[0]
    for flag in [mirror, into] where arguments.has(flag) && action != "fetch" {
      throw RunError(.usage, "\(flag.name) belongs to `nndist data fetch`")
    }
    if arguments.has(.set), action != "partition" {
      throw RunError(.usage, "--set belongs to `nndist data partition`")
    }
    switch (action, arguments.positional.count) {
    case ("list", 1): list(arguments)
    case ("list", _): throw RunError(.usage, "`nndist data list` takes no name; it lists all")
    case ("fetch", 2): try fetch(arguments.positional[1], arguments)
    case ("fetch", _):
      throw RunError(
        .usage, "`nndist data fetch` needs a name: \(fetchable.joined(separator: ", "))")
    case ("partition", 2):
      let partition = try DataPartition(arguments.positional[1], arguments)
      if arguments.has(.json) {
        Output.line(partition.object.text)
      } else {
        Output.text(partition.page)
      }
    case ("partition", _):
      throw RunError(.usage, "`nndist data partition` needs a configuration: nndist data partition CONFIG")
    default:
      let meant = nearest(action, among: actions).map { "did you mean `\($0)`?" }
      throw RunError(
        .usage, "nndist data has no `\(action)`; \(meant ?? "there are \(actions.joined(separator: ", "))")")
    }
    return .done
  }

  private static var fetchable: [String] { Catalog.sets.filter { !$0.files.isEmpty }.map(\.name) }

  // MARK: - List

  private static func list(_ arguments: Arguments) {
    let locations = Catalog.locateAll()
    if arguments.has(.json) {
      let sets = locations.map { location -> JSONValue in
        [
          "name": .text(location.entry.name), "summary": .text(location.entry.summary),
          "licence": .text(location.entry.licence), "found": .flag(location.found != nil),
          "contents": location.found.map { .text($0) } ?? nil, "folder": location.folder.map { .text($0) } ?? nil,
          "remedy": location.remedy.map { .text($0) } ?? nil,
        ]
      }
      let object: JSONObject = [
        "verb": .text(name), "action": "list", "sets": .list(sets),
        "searched": .list(SearchPlaces.standard.roots.map { .text($0) }),
      ]
      Output.line(object.text)
      return
    }
    var table = TextTable(["data set", "what it is", "where"], leading: [0, 1, 2])
    for location in locations {
      table.add([location.entry.name, location.entry.summary, place(location)])
    }
    Output.text(Terminal.headed(table.text))
    let roots = SearchPlaces.standard.roots.map { brief($0) }.joined(separator: ", ")
    let variable = Environment.value("NNDIST_DATA") == nil ? "; NNDIST_DATA=DIR adds another" : ""
    Output.line("")
    Output.line(Terminal.dim("searched: \(roots)\(variable)"))
  }

  private static func place(_ location: Catalog.Location) -> String {
    if let remedy = location.remedy { return "not found; \(remedy)" }
    guard let folder = location.folder else { return "built in" }
    return brief(folder) + (location.found.map { " (\($0))" } ?? "")
  }

  /// A path with `~` for the home folder.
  private static func brief(_ path: String) -> String {
    guard let home = Environment.value("HOME"), home != "/", path.hasPrefix(home + "/") else { return path }
    return "~" + path.dropFirst(home.count)
  }

  // MARK: - Fetch

  private static func fetch(_ set: String, _ arguments: Arguments) throws(RunError) {
    guard let entry = Catalog.set(set) else {
      let meant = nearest(set, among: fetchable).map { "did you mean \($0)?" }
      throw RunError(
        .data, "no data set is called \(set); \(meant ?? "there are \(fetchable.joined(separator: ", "))")")
    }
    let cache = arguments.value(into) ?? SearchPlaces.cache
    let fetcher = Fetcher(cache: cache, baseAddress: arguments.value(mirror))
    let isQuiet = arguments.has(.quiet)
    let watch = isQuiet ? nil : DownloadProgress(folder: "\(cache)/\(set)", files: entry.files.count)
    let folder: String
    do throws(DataError) {
      folder = try fetcher.fetch(set) { watch?.began($0) }
    } catch {
      watch?.end()
      throw RunError(error)
    }
    watch?.end()
    if arguments.has(.json) {
      let object: JSONObject = [
        "verb": .text(name), "action": "fetch", "name": .text(set), "folder": .text(folder),
        "files": .list(entry.files.map { .text($0.name) }),
      ]
      Output.line(object.text)
    } else {
      Output.line("\(set) lies in \(brief(folder)), checksums right")
    }
  }
}

/// How far downloads are: a line a file, and on a terminal the bytes that have arrived, from a thread that looks.
///
/// `@unchecked Sendable`: what changes is guarded by the lock.
private final class DownloadProgress: @unchecked Sendable {
  private let folder: String
  private let files: Int
  private let lock = NSLock()
  private var started = 0
  private var isEnded = false

  init(folder: String, files: Int) {
    self.folder = folder
    self.files = files
    guard isatty(STDERR_FILENO) == 1 else { return }
    Thread.detachNewThread { [self] in
      while !draw() { usleep(200_000) }
    }
  }

  /// A file is about to be downloaded.
  func began(_ line: String) {
    lock.withLock {
      clear()
      started += 1
      Output.note("\(line) (\(started) of \(files))")
    }
  }

  /// All are there, or one failed.
  func end() {
    lock.withLock {
      isEnded = true
      clear()
    }
  }

  /// Shows what has arrived; true when there is nothing more to show.
  private func draw() -> Bool {
    lock.withLock {
      if isEnded { return true }
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      let sizes = names.filter { $0.hasSuffix(".partial") }.compactMap { name in
        try? FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")[.size] as? Int
      }
      if let size = sizes.max(), size > 0 { put("\r\u{1B}[K  \(Numerals.bytes(size))") }
      return false
    }
  }

  private func clear() { if isatty(STDERR_FILENO) == 1 { put("\r\u{1B}[K") } }

  private func put(_ text: String) { Output.errorText(text) }
}
