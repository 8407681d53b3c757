import Glibc

/// The system refused something about a file.
package struct SystemFailure: Error {
  package let message: String
  /// The errno behind it.
  let code: Int32

  /// `cannot WHAT PATH: reason`, from errno.
  init(_ what: String, _ path: String, hint: String = "free some space or choose another place") {
    code = errno
    let reason = String(cString: strerror(code))
    message = "cannot \(what) \(path): \(reason); \(hint)".onOneLine
  }
}

/// Whole files and folders: written under another name, synced, renamed, so that a reader sees all of it or nothing.
enum Files {
  /// The folder a path lies in.
  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// The last part of a path.
  static func name(of path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }

  /// A path that means the same from any working folder.
  static func absolute(_ path: String) -> String {
    if path.hasPrefix("/") { return path }
    guard let folder = getcwd(nil, 0) else { return path }
    defer { free(folder) }
    return "\(String(cString: folder))/\(path)"
  }

  /// What a path names; symbolic links are followed.
  static func kind(of path: String) -> mode_t? {
    var information = stat()
    return stat(path, &information) == 0 ? information.st_mode & S_IFMT : nil
  }

  static func isFolder(_ path: String) -> Bool { kind(of: path) == S_IFDIR }
  static func isFile(_ path: String) -> Bool { kind(of: path) == S_IFREG }

  /// Bytes of a file.
  static func size(of path: String) -> Int? {
    var information = stat()
    return stat(path, &information) == 0 ? Int(information.st_size) : nil
  }

  /// Bytes that a disk has room for, as far as this user may take it; nil where the system does not say.
  static func freeBytes(at path: String) -> Int? {
    var information = statvfs()
    guard statvfs(path, &information) == 0 else { return nil }
    return Int(
      clamping: UInt64(information.f_bavail).multipliedReportingOverflow(by: UInt64(information.f_frsize)).partialValue)
  }

  /// Names in a folder, sorted; empty when it cannot be read.
  static func names(in folder: String) -> [String] {
    guard let handle = opendir(folder) else { return [] }
    defer { closedir(handle) }
    var names: [String] = []
    while let entry = readdir(handle) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Makes a folder and those above it that are missing.
  static func makeFolders(_ path: String) throws(SystemFailure) {
    if mkdir(path, 0o777) == 0 || (errno == EEXIST && isFolder(path)) { return }
    guard errno == ENOENT, path != folder(of: path) else { throw SystemFailure("make folder", path) }
    try makeFolders(folder(of: path))
    guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw SystemFailure("make folder", path) }
  }

  /// Writes all bytes, however many calls that takes.
  static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, _ path: String) throws(SystemFailure) {
    var done = 0
    while done < bytes.count, let base = bytes.baseAddress {
      let got = Glibc.write(descriptor, base + done, min(bytes.count - done, 1 << 30))
      if got < 0 {
        if errno == EINTR { continue }
        throw SystemFailure("write", path)
      }
      done += got
    }
  }

  /// Writes a text to a descriptor.
  static func write(_ text: String, to descriptor: Int32, _ path: String) throws(SystemFailure) {
    let failure: SystemFailure? = Array(text.utf8).withUnsafeBytes { bytes in
      do throws(SystemFailure) { try write(bytes, to: descriptor, path) } catch { return error }
      return nil
    }
    if let failure { throw failure }
  }

  /// Gives a path a new text: the old one stays whole until the new one has reached the disk.  `faults` may let it fail;
  /// `checkpoint` is the step of the checkpoint that the file belongs to, if it does.
  static func write(
    _ text: String, to path: String, _ faults: WriteFaults? = nil, checkpoint: Int? = nil
  ) throws(SystemFailure) {
    let temporary = "\(path).\(getpid()).partial"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw SystemFailure("write", path) }
    do throws(SystemFailure) {
      defer { close(descriptor) }
      try faults?.check(path, checkpoint: checkpoint)
      try write(text, to: descriptor, path)
      guard fsync(descriptor) == 0 else { throw SystemFailure("write", path) }
    } catch {
      unlink(temporary)
      throw error
    }
    guard rename(temporary, path) == 0 else {
      let failure = SystemFailure("write", path)
      unlink(temporary)
      throw failure
    }
    try sync(folder(of: path))
  }

  /// Waits until the names in a folder have reached the disk.
  static func sync(_ folder: String) throws(SystemFailure) {
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemFailure("open folder", folder) }
    defer { close(descriptor) }
    // Some file systems cannot sync folders, and say so.
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw SystemFailure("write", folder) }
  }

  /// The bytes of a file as text, nil when it is not there, longer than `limit` bytes or not UTF-8.
  static func text(of path: String, limit: Int = 1 << 30) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    // Files of /proc have no size, so that it is read to the end in pieces.
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let got = read(descriptor, &piece, piece.count)
      if got < 0, errno == EINTR { continue }
      guard got >= 0, bytes.count + got <= limit else { return nil }
      if got == 0 { return String(validating: bytes, as: UTF8.self) }
      bytes += piece[..<got]
    }
  }

  /// Removes a file, or a folder with all it holds; links are removed, not followed.  What is not there is no fault.
  static func remove(_ path: String) {
    if unlink(path) == 0 || errno == ENOENT { return }
    for name in names(in: path) { remove("\(path)/\(name)") }
    rmdir(path)
  }

  /// Points a symbolic link elsewhere; a reader sees the old or the new target.
  static func link(_ path: String, to target: String) throws(SystemFailure) {
    let temporary = "\(path).\(getpid()).partial"
    unlink(temporary)
    guard symlink(target, temporary) == 0 else { throw SystemFailure("link", path) }
    guard rename(temporary, path) == 0 else {
      let failure = SystemFailure("link", path)
      unlink(temporary)
      throw failure
    }
  }

  /// Where a symbolic link points, nil when it is none.
  static func target(of path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink(path, &buffer, buffer.count)
    return count < 0 ? nil : String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
