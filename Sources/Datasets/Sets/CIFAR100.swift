import Configuration

extension CatalogEntry {
  /// Small colour photographs of a hundred kinds (A. Krizhevsky 2009), by their fine labels.
  package static let cifar100 = CatalogEntry(
    name: "cifar100", summary: "60,000 colour photographs, 32x32 pixels, 100 classes",
    licence: "none stated; cite Krizhevsky 2009",
    files: [
      PublishedFile(
        name: "cifar-100-binary.tar.gz", address: "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        checksum: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        members: ["train.bin", "test.bin"])
    ], isImages: true, contents: { CIFAR100($0) == nil ? nil : "50,000 + 10,000 images" }
  ) { _, image in
    { (folder, _) throws(DataError) in try CIFAR100.parts(folder, image) }
  }
}

/// The files of CIFAR-100 in a folder or in the folder its archive makes there.
struct CIFAR100 {
  let training: String
  let test: String

  init?(_ folder: String) {
    for place in [folder, "\(folder)/cifar-100-binary"] {
      if let training = firstFile(["train.bin", "train.bin.gz"], in: place),
        let test = firstFile(["test.bin", "test.bin.gz"], in: place)
      {
        self.training = training
        self.test = test
        return
      }
    }
    return nil
  }

  static func parts(_ folder: String, _ image: ImageOptions) throws(DataError) -> Parts {
    guard let files = CIFAR100(folder) else {
      throw DataError(.missing, "\(folder) does not hold train.bin and test.bin of CIFAR-100")
    }
    let normalisation = try image.normalisation(
      Normalisation(mean: [0.5071, 0.4865, 0.4409], deviation: [0.2673, 0.2564, 0.2762]), channels: 3)
    let training = try CIFARFile.images([files.training], labelBytes: 2, classes: 100, normalisation: normalisation)
    let test = try CIFARFile.images([files.test], labelBytes: 2, classes: 100, normalisation: normalisation)
    return Parts(training: training, test: test, classNames: names, black: training.black)
  }

  /// The fine labels in the order of their numbers.
  static let names = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle \
    caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant \
    flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree \
    motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate \
    poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider \
    squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle \
    wardrobe whale willow_tree wolf woman worm
    """.split(separator: " ").map(String.init)
}
