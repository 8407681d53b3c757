import Configuration

extension CatalogEntry {
  /// MNIST with the writer of each digit (C. Yadav, L. Bottou, "Cold Case: The Lost MNIST Digits", NeurIPS 2019).
  package static let mnistWriters = CatalogEntry(
    name: "mnist-writers", summary: "MNIST with who wrote each digit, 539 writers of training digits",
    licence: "BSD style; the digits as in mnist",
    files: PublishedFile.list(
      at: "https://raw.githubusercontent.com/facebookresearch/qmnist/master",
      [
        (
          "qmnist-train-labels-idx2-int.gz", "2c05dc77f6b916b38e455e97ab129a42a444f3dbef09b278a366f82904e0dd9f"
        ),
        (
          "qmnist-test-labels-idx2-int.gz", "9fbcbe594c3766fdf4f0b15c5165dc0d1e57ac604e01422608bb72c906030d06"
        ),
      ]), isImages: true, contents: { MNISTWriters($0) == nil ? nil : "60,000 + 10,000 images by 836 writers" }
  ) { (_, image) throws(ConfigurationError) in
    { (folder, _) throws(DataError) in try MNISTWriters.parts(folder, image) }
  }
}

/// The extended labels of QMNIST, whose training rows and first 10,000 test rows are those of MNIST in its order: class,
/// series, writer, digit of the writer and four more columns.  No writer is in both parts.
struct MNISTWriters {
  let training: String
  let test: String
  /// The folder of MNIST itself: here, beside it, or where data sets are looked for.
  let images: String?

  private static let columns = 8

  /// Finds the labels in a folder; nil when they are not there.
  init?(_ folder: String) {
    func find(_ part: String) -> String? {
      firstFile(["qmnist-\(part)-labels-idx2-int", "qmnist-\(part)-labels-idx2-int.gz"], in: folder)
    }
    let places = [folder, "\(folder)/../mnist"] + SearchPlaces.standard.folders(of: "mnist")
    guard let training = find("train"), let test = find("test") else { return nil }
    self.training = training
    self.test = test
    images = places.first { IDXFolder($0) != nil }
  }

  static func parts(_ folder: String, _ image: ImageOptions) throws(DataError) -> Parts {
    guard let files = MNISTWriters(folder) else {
      throw DataError(
        .missing,
        "\(folder) does not hold qmnist-train-labels-idx2-int and qmnist-test-labels-idx2-int, plain or .gz")
    }
    guard let images = files.images else {
      throw DataError(
        .missing, "\(folder) has no mnist beside it, whose writers it names; run `nndist data fetch mnist`")
    }
    var parts = try MNIST.parts(images, image)
    parts.training = GroupedSource(parts.training, try writers(files.training, of: parts.training))
    parts.test = GroupedSource(parts.test, try writers(files.test, of: parts.test))
    return parts
  }

  /// The writers of the first rows, numbered in the order of their numbers in NIST's files.
  private static func writers(_ path: String, of source: any DataSource) throws(DataError) -> SampleGroups {
    let file = try IDXFile(path)
    guard file.extents.count == 2, file.extents[1] == columns, file.extents[0] >= source.count, file.bytes == nil else {
      throw DataError.malformed(
        path, "not \(source.count) rows of \(columns) numbers; get the file again")
    }
    for row in 0..<source.count where source.label(row) != Int(file.integers[row * columns]) {
      throw DataError.malformed(path, "row \(row) is of another class than digit \(row) of mnist; get both files again")
    }
    let numbers = (0..<source.count).map { file.integers[$0 * columns + 2] }
    let writers = Set(numbers).sorted()
    let places = Dictionary(uniqueKeysWithValues: zip(writers, Int32(0)...))
    return SampleGroups(numbers: numbers.map { places[$0] ?? 0 }, names: writers.map { "writer \($0)" })
  }
}
