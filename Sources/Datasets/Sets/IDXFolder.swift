import Configuration
import Tensors

/// A folder with the four files of a set of the MNIST family, plain or `.gz`.
struct IDXFolder {
  let trainingImages: String
  let trainingLabels: String
  let testImages: String
  let testLabels: String

  /// Finds the files; nil when one is missing.
  init?(_ folder: String) {
    func find(_ part: String, _ kind: String, _ rank: Int) -> String? {
      let stems = ["\(part)-\(kind)-idx\(rank)-ubyte", "\(part)-\(kind).idx\(rank)-ubyte"]
      return firstFile(stems.flatMap { [$0, "\($0).gz"] }, in: folder)
    }
    guard let trainingImages = find("train", "images", 3), let trainingLabels = find("train", "labels", 1),
      let testImages = find("t10k", "images", 3) ?? find("test", "images", 3),
      let testLabels = find("t10k", "labels", 1) ?? find("test", "labels", 1)
    else { return nil }
    self.trainingImages = trainingImages
    self.trainingLabels = trainingLabels
    self.testImages = testImages
    self.testLabels = testLabels
  }

  /// Reads both parts; `classes` nil takes the classes that training shows.
  static func parts(
    _ folder: String, classes: Int?, _ standard: Normalisation, _ image: ImageOptions
  ) throws(DataError) -> Parts {
    guard let files = IDXFolder(folder) else {
      throw DataError(
        .missing,
        "\(folder) does not hold train-images-idx3-ubyte, train-labels-idx1-ubyte and their t10k counterparts, plain "
          + "or .gz")
    }
    let normalisation = try image.normalisation(standard, channels: 1)
    let training = try IDXFile.images(
      files.trainingImages, labels: files.trainingLabels, classes: classes, normalisation: normalisation)
    let test = try IDXFile.images(
      files.testImages, labels: files.testLabels, classes: training.classCount, normalisation: normalisation)
    guard training.inputShape == test.inputShape else {
      throw DataError.malformed(
        files.testImages, "images \(test.inputShape) where training has \(training.inputShape)")
    }
    return Parts(training: training, test: test, black: training.black)
  }
}

extension CatalogEntry {
  /// Any folder of the MNIST family.
  package static let idx = CatalogEntry(
    name: "idx", summary: "a folder of four IDX files, plain or .gz, named as MNIST's", isImages: true
  ) { _, image in
    { (path, _) throws(DataError) in try IDXFolder.parts(path, classes: nil, .identity, image) }
  }
}
