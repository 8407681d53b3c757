import Configuration

/// A data set or file format that configurations can name.  Each is one file and one line of ``Catalog``.
public struct CatalogEntry: Sendable {
  /// The name in configurations.
  public let name: String
  /// What it is, in one line.
  public let summary: String
  /// Who may use it, in a few words.
  public let licence: String
  /// What `nndist data fetch` downloads; empty for what is built in and for formats.
  public let files: [PublishedFile]
  /// The folder it is looked for in, which sets may share.
  public let folder: String
  /// The command that gets what is missing.
  public let remedy: String
  /// Whether it brings a validation set, so that none is cut from training.
  public let hasValidation: Bool
  /// Whether the set needs no files.
  public let isBuiltIn: Bool
  /// Whether its inputs are images, which can be normalised and augmented.
  let isImages: Bool
  /// Whether a folder holds what is needed; says what exactly, such as `1 of 5 training batches`.
  let contents: @Sendable (_ folder: String) -> String?
  /// Reads the options of its own and returns what loads it.
  let prepare: @Sendable (inout Options, ImageOptions) throws(ConfigurationError) -> Loader

  /// Loads from a folder (or the file a format reads); the seed keys what is random about training samples.
  typealias Loader = @Sendable (_ path: String, _ seed: UInt64) throws(DataError) -> Parts

  /// Describes a set or format.
  init(
    name: String, summary: String, licence: String = "", files: [PublishedFile] = [], folder: String? = nil,
    remedy: String? = nil, hasValidation: Bool = false, isBuiltIn: Bool = false, isImages: Bool = false,
    contents: @escaping @Sendable (String) -> String? = { _ in nil },
    prepare: @escaping @Sendable (inout Options, ImageOptions) throws(ConfigurationError) -> Loader
  ) {
    self.name = name
    self.summary = summary
    self.licence = licence
    self.files = files
    self.folder = folder ?? name
    self.remedy = remedy ?? "nndist data fetch \(name)"
    self.hasValidation = hasValidation
    self.isBuiltIn = isBuiltIn
    self.isImages = isImages
    self.contents = contents
    self.prepare = prepare
  }
}

/// What an entry loads: a training and a test part, and a validation part where it brings one.
package struct Parts: Sendable {
  package var training: any DataSource
  package var test: any DataSource
  package var validation: (any DataSource)?
  package var classNames: [String] = []
  var vocabulary: [Character] = []
  /// What black became, per channel, for padding.
  var black: [Float]?
  /// What was found, when it is not the whole set.
  package var detail: String?
  /// Cuts a share off the training part; a keyed choice of samples unless samples overlap.
  var cut: Cut = { whole, fraction, seed in
    let (part, rest) = SubsetSource.cut(whole, fraction: fraction, seed: seed, layer: 1)
    return (part, rest)
  }

  typealias Cut =
    @Sendable (any DataSource, _ fraction: Double, _ seed: UInt64) -> (part: any DataSource, rest: any DataSource)

  /// Parts of a set that has no test part of its own: a share of it by a permutation whose key is fixed, so that every
  /// seed is tested on the same samples.
  static func split(_ whole: any DataSource, test share: Double, path: String) throws(DataError) -> Parts {
    let (test, training) = SubsetSource.cut(whole, fraction: share, seed: 0, layer: 0)
    guard test.count > 0, training.count > 0 else {
      throw DataError(.unsuitable, "\(path): \(whole.count) samples cannot be split into training and test")
    }
    return Parts(training: training, test: test)
  }
}
