import Configuration
import Datasets
import Foundation
import Tensors
import Testing

@Suite("The built-in digits")
struct DigitsTests {
  @Test("1,797 images of 0...16 with the published counts, in their published order")
  func contents() throws {
    let source = try Digits.source()
    #expect(source.count == 1797)
    #expect(source.inputShape == [8, 8, 1])
    var counts = [Int](repeating: 0, count: 10)
    var sum: Float = 0
    for index in 0..<source.count {
      counts[source.label(index) ?? 0] += 1
      for value in floats(source, index) {
        #expect(value >= 0 && value <= 1)
        sum += value * 16
      }
    }
    #expect(counts == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
    #expect((0..<10).map { source.label($0) } == (0..<10).map { $0 })
    #expect(floats(source, 0).prefix(8).map { $0 * 16 } == [0, 0, 5, 13, 9, 1, 0, 0])
    #expect(sum == 561_718)
  }

  @Test("a fixed fifth is the test part, whatever the seed; validation follows the seed")
  func split() throws {
    let set = try load("data: {name: digits, validation: 0.1}", seed: 1)
    let other = try load("data: {name: digits, validation: 0.1}", seed: 2)
    let validation = try #require(set.validation)
    #expect(set.test.count == 359)
    #expect(validation.count == 144)
    #expect(set.training.count == 1294)
    func keys(_ source: any DataSource) -> [UInt64] { (0..<source.count).map(source.key) }
    #expect(keys(set.test) == keys(other.test))
    #expect(keys(validation) != other.validation.map(keys))
    #expect((keys(set.training) + keys(validation) + keys(set.test)).sorted() == (0..<1797).map { UInt64($0) })
    #expect(set.classes == 10)
    #expect(set.classNames.count == 10)
    #expect(set.origin == "digits built in")
    #expect(set.fingerprint() != other.fingerprint())
    #expect(set.fingerprint() == (try load("data: {name: digits, validation: 0.1}", seed: 1)).fingerprint())
  }
}

@Suite("The data section")
struct DataOptionsTests {
  let folder = Folder()

  /// A set of the MNIST family: 20 training and 10 test images of 4x4 pixels.
  func family(_ name: String) {
    folder.write("\(name)/train-images-idx3-ubyte.gz", gzip(idx([20, 4, 4], (0..<320).map { UInt8($0 % 256) })))
    folder.write("\(name)/train-labels-idx1-ubyte", idx([20], (0..<20).map { UInt8($0 % 10) }))
    folder.write("\(name)/t10k-images-idx3-ubyte", idx([10, 4, 4], (0..<160).map { UInt8($0) }))
    folder.write("\(name)/t10k-labels-idx1-ubyte", idx([10], (0..<10).map { UInt8($0) }))
  }

  @Test("a set is found in the first place that holds it, with its own normalisation")
  func finds() throws {
    family("second/mnist")
    folder.write("first/mnist/train-images-idx3-ubyte", [])
    let places = SearchPlaces(roots: ["\(folder.path)/first", "\(folder.path)/second"])
    let set = try load("data: mnist", places: places)
    #expect(set.origin == "mnist from \(folder.path)/second/mnist")
    #expect(set.training.count == 20)
    #expect(set.test.count == 10)
    #expect(floats(set.training, 0)[1] == (Float(1) / 255 - 0.1307) / 0.3081)
    let plain = try load("data: {name: mnist, normalise: false}", places: places)
    #expect(floats(plain.training, 0)[1] == Float(1) / 255)
    let own = try load("data: {name: mnist, mean: [0.5], deviation: [0.25]}", places: places)
    #expect(floats(own.training, 0)[1] == (Float(1) / 255 - 0.5) / 0.25)
    let direct = try load("data: {name: mnist, path: \(folder.path)/second/mnist}")
    #expect(direct.fingerprint() == set.fingerprint())
    let format = try load("data: {format: idx, path: \(folder.path)/second/mnist, subset: 5}")
    #expect(format.training.count == 5)
    #expect(format.classes == 10)
  }

  @Test("augmentation touches training and nothing else")
  func augments() throws {
    family("mnist")
    let places = SearchPlaces(roots: [folder.path])
    let yaml = "data: {name: mnist, validation: 0.25, augment: {crop: 1, flip: true, padding: reflect}}"
    let set = try load(yaml, places: places)
    let plain = try load("data: {name: mnist, validation: 0.25}", places: places)
    func all(_ source: (any DataSource)?, _ epoch: UInt64) -> [[Float]] {
      source.map { source in (0..<source.count).map { floats(source, $0, epoch: epoch) } } ?? []
    }
    #expect(all(set.training, 0) != all(set.training, 1))
    #expect(all(set.training, 0) != all(plain.training, 0))
    #expect(all(set.validation, 1) == all(plain.validation, 0))
    #expect(all(set.test, 1) == all(plain.test, 0))
  }

  @Test("a set that is nowhere names the places and the command")
  func missing() {
    let text = message { _ = try load("data: cifar10", places: SearchPlaces(roots: ["/nowhere", "/neither/"])) }
    #expect(
      text == "data set cifar10 is not in /nowhere/cifar10, /neither/cifar10; run `nndist data fetch cifar10`")
    #expect(message { _ = try load("data: {name: mnist, path: /nowhere}") }.contains("/nowhere does not hold"))
    #expect(message { _ = try load("data: {format: npz, path: /nowhere.npz}") } == "/nowhere.npz: no such file")
  }

  @Test("what cannot be is refused, before or after reading")
  func refuses() {
    #expect(message { _ = try load("data: minst") }.contains("did you mean `mnist`?"))
    #expect(message { _ = try load("name: x") }.contains("data is missing"))
    #expect(message { _ = try load("data: {path: x}") }.contains("data needs a name"))
    #expect(message { _ = try load("data: {format: cvs, path: x}") }.contains("did you mean `csv`?"))
    #expect(message { _ = try load("data: {format: csv}") }.contains("data.path is missing"))
    #expect(message { _ = try load("data: {name: digits, contxt: 3}") }.contains("unknown key `contxt`"))
    #expect(message { _ = try load("data: {name: digits, validation: 1}") }.contains("data.validation"))
    #expect(message { _ = try load("data: {name: digits, validation: 0.0001}") }.contains("leaves 0 validation"))
    #expect(message { _ = try load("data: {name: digits, subset: 5000}") }.contains("training has 1438"))
    #expect(message { _ = try load("data: {name: digits, augment: {crop: 4}}") }.contains("less than half"))
    #expect(message { _ = try load("data: {name: digits, mean: [1, 2], deviation: [1, 2]}") }.contains("2 numbers"))
    #expect(message { _ = try load("data: {name: digits, mean: [1]}") }.contains("as many numbers"))
  }

  @Test("every key is documented")
  func documented() {
    func keys(_ name: String) -> Set<String> {
      let described = Options.document(choosing: ["data": name]) { (options) throws(ConfigurationError) in
        _ = try DataOptions(&options)
      }
      #expect(described.allSatisfy { !$0.help.isEmpty })
      return Set(described.map(\.key))
    }
    #expect(keys("mnist").isSuperset(of: ["data.path", "data.validation", "data.augment.crop", "data.normalise"]))
    #expect(keys("tinyshakespeare").contains("data.context"))
    #expect(!keys("tinyshakespeare").contains("data.augment.crop"))
    #expect(keys("files").isSuperset(of: ["data.format", "data.label", "data.context", "data.test", "data.mean"]))
  }

  @Test(
    "the resolved section reads again to the same data",
    arguments: ["digits", "{name: digits, validation: 0.1, augment: {crop: 1}}"])
  func resolves(section: String) throws {
    var options = Options(try Node.parse("data: \(section)", file: "a.yaml"))
    let first = try DataOptions(&options).load(seed: 1)
    let yaml = options.resolved.yaml()
    #expect(try load(yaml).fingerprint() == first.fingerprint())
  }
}

@Suite("Real data, where NNDIST_DATA has it", .enabled(if: realData != nil))
struct RealDataTests {
  let places = SearchPlaces(roots: [realData ?? ""])

  func counts(_ source: any DataSource) -> [Int] {
    var counts = [Int](repeating: 0, count: source.classCount ?? 0)
    for index in 0..<source.count { counts[source.label(index) ?? 0] += 1 }
    return counts
  }

  @Test("MNIST")
  func mnist() throws {
    let set = try load("data: mnist", places: places)
    #expect(counts(set.training) == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949])
    #expect(counts(set.test) == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009])
    var mean = 0.0
    for index in 0..<set.training.count { mean += Double(floats(set.training, index).reduce(0, +)) / 784 / 60000 }
    #expect(abs(mean) < 1e-3)
  }

  @Test("Fashion-MNIST, here and in Debian's package", arguments: [realData ?? "", "/usr/share/datasets"])
  func fashion(root: String) throws {
    guard FileManager.default.fileExists(atPath: root + "/fashion-mnist") else { return }
    let set = try load("data: fashion-mnist", places: SearchPlaces(roots: [root]))
    #expect(counts(set.training) == [Int](repeating: 6000, count: 10))
    #expect(counts(set.test) == [Int](repeating: 1000, count: 10))
  }

  @Test("CIFAR-10's first batch")
  func cifar() throws {
    let set = try load("data: cifar10", places: places)
    #expect(Array(counts(set.training).prefix(10)).reduce(0, +) == set.training.count)
    #expect(set.training.count % 10000 == 0)
    #expect(counts(set.test) == [Int](repeating: 1000, count: 10))
    if set.training.count == 10000 {
      #expect(counts(set.training) == [1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981])
      #expect(set.origin.hasSuffix("(1 of 5 training batches (10,000 images))"))
    }
  }

  @Test("Shakespeare")
  func shakespeare() throws {
    let set = try load("data: {name: tinyshakespeare, shift: false}", places: places)
    #expect(set.vocabulary.count == 65)
    #expect(set.training.count == 15685)
    let text = sample(set.training, 0).input.map { set.vocabulary[Int($0)] }
    #expect(String(text).hasPrefix("First Citizen:\nBefore we proceed"))
  }

  @Test("tables of the UCI repository")
  func tables() throws {
    let root = (realData ?? "") + "/uci"
    guard FileManager.default.fileExists(atPath: root) else { return }
    let letters = try load(
      "data: {format: csv, path: \(root)/letter-recognition.data, label: 0, test: 0.2}", places: places)
    #expect(letters.classes == 26)
    #expect(letters.training.count == 16000)
    let adult = "format: csv, path: \(root)/adult.data.gz"
    #expect(message { _ = try load("data: {\(adult)}") }.contains("has no value (`?`)"))
    let whole = try load("data: {\(adult), missing: drop}")
    #expect(whole.training.count + whole.test.count == 30162)
    #expect(whole.classNames == ["<=50K", ">50K"])
    let higgs = try load(
      "data: {format: csv, separator: tab, label: 0, path: \(root)/higgs-sample/binary.train, "
        + "test-path: \(root)/higgs-sample/binary.test}")
    #expect(counts(higgs.training) == [3284, 3716])
    #expect(counts(higgs.test) == [228, 272])
  }
}
