import Tensors

/// A named set, cut into what trains, what decides and what reports.
public struct Dataset: Sendable {
  /// Its name in the catalog, or the path it was read from.
  public let name: String
  /// What was found and where, in one line: `fashion-mnist from /usr/share/datasets/fashion-mnist`.
  public let origin: String
  /// Samples that training sees.
  public let training: any DataSource
  /// Samples cut from training that decide early stopping and the best checkpoint.
  public let validation: (any DataSource)?
  /// Samples that report the result and decide nothing.
  public let test: any DataSource
  /// Names of the classes, by number; empty when nobody named them.
  public let classNames: [String]
  /// The characters of a text, by token; empty for other data.
  public let vocabulary: [Character]

  /// Classes of a target; nil when targets are values.
  public var classes: Int? { training.classCount }

  /// Puts a set together.
  public init(
    name: String, origin: String, training: any DataSource, validation: (any DataSource)? = nil, test: any DataSource,
    classNames: [String] = [], vocabulary: [Character] = []
  ) {
    self.name = name
    self.origin = origin
    self.training = training
    self.validation = validation
    self.test = test
    self.classNames = classNames
    self.vocabulary = vocabulary
  }

  /// SHA-256 of the content as it is read, in hexadecimal: ranks that see other data have another fingerprint.  It goes
  /// over the samples once, so ask for it once.
  public func fingerprint() -> String {
    var checksum = Checksum()
    training.fingerprint(&checksum)
    checksum.update(validation == nil ? 0 : 1)
    validation?.fingerprint(&checksum)
    test.fingerprint(&checksum)
    return checksum.hexadecimal()
  }
}
