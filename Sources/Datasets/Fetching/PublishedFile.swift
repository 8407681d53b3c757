/// A file of a data set as its makers publish it.
public struct PublishedFile: Sendable, Hashable {
  /// Its name.
  public let name: String
  /// Where it is published.
  public let address: String
  /// SHA-256 of its bytes, in hexadecimal.
  public let checksum: String
  /// The files to take out of it when it is a `.tar.gz`; empty for a file that is kept as it is.
  public let members: [String]

  /// Describes a file.
  public init(name: String, address: String, checksum: String, members: [String] = []) {
    self.name = name
    self.address = address
    self.checksum = checksum
    self.members = members
  }

  /// Files side by side at one address.
  static func list(at base: String, _ files: [(String, String)]) -> [PublishedFile] {
    files.map { PublishedFile(name: $0.0, address: "\(base)/\($0.0)", checksum: $0.1) }
  }
}
