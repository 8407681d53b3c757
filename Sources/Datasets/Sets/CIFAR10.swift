import Configuration

extension CatalogEntry {
  /// Small colour photographs (A. Krizhevsky 2009).  Whatever of the five training batches is there is used.
  package static let cifar10 = CatalogEntry(
    name: "cifar10", summary: "60,000 colour photographs, 32x32 pixels, 10 classes",
    licence: "none stated; cite Krizhevsky 2009",
    files: [
      PublishedFile(
        name: "cifar-10-binary.tar.gz", address: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        checksum: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        members: (1...5).map { "data_batch_\($0).bin" } + ["test_batch.bin"])
    ], isImages: true, contents: { folder in CIFAR10(folder).map { "\($0.detail), 10,000 test images" } }
  ) { _, image in
    { (folder, _) throws(DataError) in try CIFAR10.parts(folder, image) }
  }

  /// Any folder in the binary version of CIFAR.
  package static let cifar = CatalogEntry(
    name: "cifar", summary: "a folder in CIFAR's binary version: data_batch_N.bin, or train.bin, and a test file",
    isImages: true
  ) { _, image in
    { (folder, _) throws(DataError) in
      CIFAR100(folder) == nil ? try CIFAR10.parts(folder, image) : try CIFAR100.parts(folder, image)
    }
  }
}

/// The files of CIFAR-10 in a folder or in the folder its archive makes there.
package struct CIFAR10 {
  let batches: [String]
  let test: String

  var detail: String { "\(batches.count) of 5 training batches (\(batches.count)0,000 images)" }

  init?(_ folder: String) {
    for place in [folder, "\(folder)/cifar-10-batches-bin"] {
      let batches = (1...5).compactMap { firstFile(["data_batch_\($0).bin", "data_batch_\($0).bin.gz"], in: place) }
      if let test = firstFile(["test_batch.bin", "test_batch.bin.gz"], in: place), !batches.isEmpty {
        self.batches = batches
        self.test = test
        return
      }
    }
    return nil
  }

  package static func parts(_ folder: String, _ image: ImageOptions) throws(DataError) -> Parts {
    guard let files = CIFAR10(folder) else {
      throw DataError(.missing, "\(folder) does not hold data_batch_1.bin to data_batch_5.bin and test_batch.bin")
    }
    let normalisation = try image.normalisation(
      Normalisation(mean: [0.4914, 0.4822, 0.4465], deviation: [0.2470, 0.2435, 0.2616]), channels: 3)
    let training = try CIFARFile.images(files.batches, labelBytes: 1, classes: 10, normalisation: normalisation)
    let test = try CIFARFile.images([files.test], labelBytes: 1, classes: 10, normalisation: normalisation)
    return Parts(
      training: training, test: test,
      classNames: [
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
      ], black: training.black, detail: files.batches.count < 5 ? files.detail : nil)
  }
}
