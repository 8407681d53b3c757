extension CatalogEntry {
  /// Pictures of garments (H. Xiao, K. Rasul, R. Vollgraf 2017, arXiv:1708.07747).
  package static let fashionMNIST = CatalogEntry(
    name: "fashion-mnist", summary: "70,000 pictures of garments, 28x28 pixels, 10 classes", licence: "MIT",
    files: PublishedFile.list(
      at: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
      [
        ("train-images-idx3-ubyte.gz", "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        ("train-labels-idx1-ubyte.gz", "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        ("t10k-images-idx3-ubyte.gz", "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        ("t10k-labels-idx1-ubyte.gz", "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
      ]), isImages: true, contents: { IDXFolder($0) == nil ? nil : "60,000 + 10,000 images" }
  ) { _, image in
    { (folder, _) throws(DataError) in
      var parts = try IDXFolder.parts(folder, classes: 10, Normalisation(mean: [0.2860], deviation: [0.3530]), image)
      parts.classNames = [
        "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
      ]
      return parts
    }
  }
}
