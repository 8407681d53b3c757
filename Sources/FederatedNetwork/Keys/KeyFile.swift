import Federated
import Glibc

/// A file that holds one key.
struct KeyFile {
  let path: String

  init(_ path: String) { self.path = path }

  var exists: Bool { access(path, F_OK) == 0 }

  /// The key. Throws `.data` where there is none.
  func read() throws(FederatedError) -> [UInt8] { try read(isSecret: false) }

  /// The key, which nobody but the owner may be able to read. Throws `.data` where there is none, `.refused` where others may.
  func readSecret() throws(FederatedError) -> [UInt8] { try read(isSecret: true) }

  private func read(isSecret: Bool) throws(FederatedError) -> [UInt8] {
    // Without O_NONBLOCK a pipe in the file's place would never let go.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      let remedy = errno == ENOENT ? "; nndist keys makes keys" : ""
      throw FederatedError(.data, "cannot read the key \(path): \(String(cString: strerror(errno)))\(remedy)")
    }
    defer { close(descriptor) }
    var information = stat()
    guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
      throw FederatedError(.data, "the key \(path) is not a file")
    }
    guard !isSecret || information.st_mode & 0o077 == 0 else {
      throw FederatedError(.refused, "others may read the secret key \(path): chmod 600 \(path)")
    }
    // A longer file is not a key, whatever the rest of it is.
    var bytes = [UInt8](repeating: 0, count: KeyPair.characters + 3)
    let count = Glibc.read(descriptor, &bytes, bytes.count)
    var characters = bytes.prefix(max(0, count))
    while let last = characters.last, last == 0x0A || last == 0x0D { characters.removeLast() }
    guard characters.allSatisfy({ (0x21...0x7E).contains($0) }),
      let key = KeyPair.key(of: String(decoding: characters, as: UTF8.self))
    else {
      throw FederatedError(.data, "\(path) is damaged: a key is \(KeyPair.characters) characters of Z85")
    }
    return key
  }

  /// Writes the key as a whole or not at all. Throws `.refused` where a file stands there or none can be written.
  func write(_ key: [UInt8], isSecret: Bool) throws(FederatedError) {
    let draft = path + ".partial"
    unlink(draft)
    let mode: mode_t = isSecret ? 0o600 : 0o644
    let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw failure() }
    defer { unlink(draft) }
    let text = KeyPair.text(of: key) + "\n"
    let written = text.withCString { Glibc.write(descriptor, $0, text.utf8.count) }
    // Whatever the umask says, and before the file has the name under which others look for it.
    let isDone = written == text.utf8.count && fchmod(descriptor, mode) == 0
    let reason = errno
    guard close(descriptor) == 0, isDone else { throw failure(isDone ? errno : reason) }
    // Unlike a renaming, a link never replaces a file.
    guard link(draft, path) == 0 else { throw failure() }
  }

  private func failure(_ reason: Int32 = errno) -> FederatedError {
    FederatedError(.refused, "cannot write the key \(path): \(String(cString: strerror(reason)))")
  }
}
