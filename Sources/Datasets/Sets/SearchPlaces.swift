import Glibc

/// Where named sets are looked for, in order: the folder that `NNDIST_DATA` names, the cache of downloads, and what
/// packages of the system installed.
public struct SearchPlaces: Sendable {
  /// Folders that hold a folder per set.
  public var roots: [String]

  /// Searches the given folders.
  public init(roots: [String]) { self.roots = roots }

  /// The folder of downloads: `~/.cache/nndist`.
  public static var cache: String { (variable("HOME") ?? "") + "/.cache/nndist" }

  /// The places of this machine and user.
  public static var standard: SearchPlaces {
    var roots: [String] = []
    if let folder = variable("NNDIST_DATA") { roots.append(folder) }
    roots.append(cache)
    // Debian's dataset-fashion-mnist lies here.
    roots.append("/usr/share/datasets")
    return SearchPlaces(roots: roots)
  }

  /// The folders that may hold a set.
  func folders(of name: String) -> [String] { roots.map { $0.hasSuffix("/") ? $0 + name : "\($0)/\(name)" } }

  private static func variable(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }
}

/// The first of some names that is a file in a folder, as a path.
func firstFile(_ names: [String], in folder: String) -> String? {
  names.lazy.map { "\(folder)/\($0)" }.first { path in
    var information = stat()
    return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFREG
  }
}
