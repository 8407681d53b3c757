import Datasets
import Tensors
import Testing

@Suite("CIFAR's binary version")
struct CIFARTests {
  let folder = Folder()

  /// A record whose red plane counts up, whose green plane is 100 and whose blue plane is its label.
  func record(_ labels: [UInt8]) -> [UInt8] {
    labels + (0..<1024).map { UInt8($0 % 256) } + [UInt8](repeating: 100, count: 1024)
      + [UInt8](repeating: labels[labels.count - 1], count: 1024)
  }

  @Test("planes become channels-last; the last label byte is the class", arguments: [1, 2])
  func reads(labelBytes: Int) throws {
    let labels = (0..<3).map { sample in [UInt8](repeating: 9, count: labelBytes - 1) + [UInt8(sample)] }
    let path = folder.write("a", record(labels[0]) + record(labels[1]))
    let other = folder.write("b", gzip(record(labels[2])))
    let source = try CIFARFile.images(
      [path, other], labelBytes: labelBytes, classes: 10, normalisation: Normalisation(mean: [0], deviation: [1]))
    #expect(source.count == 3)
    #expect(source.inputShape == [32, 32, 3])
    for index in 0..<3 {
      #expect(source.label(index) == index)
      let expected: [Float] = (0..<1024).flatMap { pixel -> [Float] in
        [Float(pixel % 256) / 255, Float(100) / 255, Float(index) / 255]
      }
      #expect(floats(source, index) == expected)
    }
  }

  @Test("the batches that are there are used and counted")
  func partial() throws {
    for name in ["data_batch_2.bin", "data_batch_4.bin", "test_batch.bin"] {
      folder.write("cifar10/cifar-10-batches-bin/\(name)", record([3]) + record([4]))
    }
    let places = SearchPlaces(roots: [folder.path])
    let location = Catalog.locate(.cifar10, in: places)
    #expect(location.found == "2 of 5 training batches (20,000 images), 10,000 test images")
    #expect(location.folder == folder.path + "/cifar10")
    let parts = try CIFAR10.parts(folder.path + "/cifar10", ImageOptions())
    #expect(parts.training.count == 4)
    #expect(parts.test.count == 2)
    #expect(parts.detail?.contains("2 of 5") == true)
  }

  @Test("half records and labels out of range are refused")
  func refuses() {
    let half = folder.write("half", record([1]).dropLast())
    let label = folder.write("label", record([1]) + record([10]))
    func fault(_ path: String) -> String {
      message { _ = try CIFARFile.images([path], labelBytes: 1, classes: 10, normalisation: .identity) }
    }
    #expect(fault(half).contains("no whole number of records"))
    #expect(fault(label).contains("label 10 of sample 1 is outside 0..9"))
    #expect(fault(folder.write("empty", [UInt8]())).contains("no whole number of records"))
  }

  @Test("no mutation traps")
  func fuzzed() throws {
    try fuzz(gzip(record([1]) + record([2])), name: "fuzzed", seed: 2) {
      _ = try CIFARFile.images([$0], labelBytes: 1, classes: 10, normalisation: .identity)
    }
  }
}

extension Folder {
  @discardableResult
  func write(_ name: String, _ bytes: ArraySlice<UInt8>) -> String { write(name, Array(bytes)) }
}
