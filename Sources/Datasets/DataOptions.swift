import Configuration
import Tensors

/// The `data:` section of a configuration: `data: digits`, `data: {name: fashion-mnist, validation: 0.1}` or
/// `data: {format: csv, path: FILE}`.
public struct DataOptions: Sendable {
  /// The name in the catalog, or of the format.
  public let name: String
  /// Share of the training part that is cut off for validation.
  public let validation: Double
  /// Whether there is a validation set: cut off, or the data's own.
  public let hasValidation: Bool
  private let entry: CatalogEntry
  private let isFormat: Bool
  private let path: String?
  private let subset: Int?
  private let reconstructs: Bool
  private let image: ImageOptions
  private let loader: CatalogEntry.Loader

  private static let files = "files"

  /// Reads the section `key` of a configuration.
  public init(_ options: inout Options, key: String = "data") throws(ConfigurationError) {
    try options.require(
      options.has(key),
      "\(key) is missing; name a set (\(Catalog.sets.map(\.name).joined(separator: ", "))) or give format and path")
    self = try options.named(
      key, of: Catalog.sets.map(\.name) + [DataOptions.files], default: DataOptions.files,
      "the data set; without a name, format and path say what to read"
    ) { (name, options) throws(ConfigurationError) in try DataOptions(name, &options) }
  }

  private init(_ name: String, _ options: inout Options) throws(ConfigurationError) {
    if let entry = Catalog.set(name) {
      self.entry = entry
      isFormat = false
      path = try options.optionalText(
        "path",
        "the folder to read; without it NNDIST_DATA/\(entry.folder), ~/.cache/nndist/\(entry.folder) and what Debian installed"
      )
    } else {
      let names = Catalog.formats.map(\.name)
      try options.require(
        options.has("format"),
        "data needs a name (\(Catalog.sets.map(\.name).joined(separator: ", "))) or a format "
          + "(\(names.joined(separator: ", "))) with a path")
      let format = try options.choice(
        "format", of: names, Catalog.formats.map { "\($0.name): \($0.summary)" }.joined(separator: "; "))
      guard let entry = Catalog.formats.first(where: { $0.name == format }) else {
        throw options.error("unknown format `\(format)`", key: "format")
      }
      self.entry = entry
      isFormat = true
      path = try options.text("path", "the file or folder to read")
      if options.isDocumenting {
        for other in Catalog.formats where other.name != format { _ = try other.prepare(&options, ImageOptions()) }
      }
    }
    self.name = entry.name
    validation = try options.number(
      "validation", default: 0, in: Bounds(lower: 0, upper: 1, includesUpper: false),
      "share of the training samples, drawn by key, that decides early stopping and the best checkpoint")
    hasValidation = validation > 0 || entry.hasValidation
    try options.require(
      validation == 0 || !entry.hasValidation, key: "validation",
      "data.validation is \(validation), but \(entry.name) brings a validation set of its own; leave the key out")
    subset = try options.optionalInteger(
      "subset", in: 1...Int(Int32.max), unit: "samples", "train on so many samples, drawn by key, in place of all")
    reconstructs =
      try options.choice(
        "targets", of: ["own", "inputs"], default: "own",
        "what is to be predicted: the set's own targets, or the inputs themselves, as an autoencoder does") == "inputs"
    image = entry.isImages || (isFormat && options.isDocumenting) ? try ImageOptions(&options) : ImageOptions()
    loader = try entry.prepare(&options, image)
  }

  /// Reads the data.  The seed of the run keys the validation cut, the subset and what is random about training samples.
  public func load(seed: UInt64, places: SearchPlaces = .standard) throws(DataError) -> Dataset {
    let folder = try folder(places)
    var parts = try loader(folder ?? "", seed)
    var held = parts.validation
    if validation > 0 {
      let (part, rest) = parts.cut(parts.training, validation, seed)
      guard part.count > 0, rest.count > 0 else {
        throw DataError(
          .unsuitable,
          "data.validation of \(validation) leaves \(part.count) validation and \(rest.count) training samples; change it"
        )
      }
      held = part
      parts.training = rest
    }
    if let subset {
      guard subset <= parts.training.count else {
        throw DataError(
          .unsuitable, "data.subset asks for \(subset) samples and training has \(parts.training.count); lower it")
      }
      var stream = RandomStream(seed: seed, .split, layer: 2)
      let order = stream.permutation(parts.training.count)
      parts.training = SubsetSource(parts.training, order[..<subset].sorted())
    }
    guard parts.training.count <= Int(Int32.max) else {
      throw DataError(.unsuitable, "\(name) has \(parts.training.count) samples; at most 2,147,483,647 are taken")
    }
    if reconstructs, parts.training.inputType != .float32 {
      throw DataError(.unsuitable, "data.targets: inputs needs samples of numbers, and those of \(name) are tokens")
    }
    func aimed(_ source: any DataSource) -> any DataSource { reconstructs ? ReconstructionSource(source) : source }
    let origin = [name, folder.map { "from \($0)" } ?? "built in", parts.detail.map { "(\($0))" }]
    return Dataset(
      name: isFormat ? folder ?? name : name, origin: origin.compactMap { $0 }.joined(separator: " "),
      training: aimed(try image.augment(parts, seed: seed)), validation: held.map(aimed), test: aimed(parts.test),
      classNames: reconstructs ? [] : parts.classNames, vocabulary: parts.vocabulary)
  }

  private func folder(_ places: SearchPlaces) throws(DataError) -> String? {
    if let path { return path }
    let location = Catalog.locate(entry, in: places)
    guard location.found != nil else {
      throw DataError(
        .missing,
        "data set \(name) is not in \(location.searched.joined(separator: ", ")); run `\(entry.remedy)`")
    }
    return location.folder
  }
}
