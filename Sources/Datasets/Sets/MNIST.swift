extension CatalogEntry {
  /// Handwritten digits (Y. LeCun, C. Cortes, C. Burges 1998).
  package static let mnist = CatalogEntry(
    name: "mnist", summary: "70,000 handwritten digits, 28x28 pixels, 10 classes",
    licence: "usually given as CC BY-SA 3.0",
    files: PublishedFile.list(
      at: "https://ossci-datasets.s3.amazonaws.com/mnist",
      [
        ("train-images-idx3-ubyte.gz", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        ("train-labels-idx1-ubyte.gz", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        ("t10k-images-idx3-ubyte.gz", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        ("t10k-labels-idx1-ubyte.gz", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
      ]), isImages: true, contents: { IDXFolder($0) == nil ? nil : "60,000 + 10,000 images" }
  ) { _, image in
    { (folder, _) throws(DataError) in try MNIST.parts(folder, image) }
  }
}

/// The digits in a folder of four IDX files.
enum MNIST {
  static func parts(_ folder: String, _ image: ImageOptions) throws(DataError) -> Parts {
    var parts = try IDXFolder.parts(folder, classes: 10, Normalisation(mean: [0.1307], deviation: [0.3081]), image)
    parts.classNames = (0..<10).map(String.init)
    return parts
  }
}
