import Datasets
import Foundation
import Tensors
import Testing

@Suite("Sets that know who made each sample, from files written here")
struct GroupedSetTests {
  let folder = Folder()

  /// Rows of eight numbers: the class, the series, the writer, and more.
  func writers(_ labels: [UInt8], _ writers: [Int]) -> [UInt8] {
    func word(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
    return [0, 0, 12, 2] + word(labels.count) + word(8)
      + zip(labels, writers).flatMap { word(Int($0)) + word(0) + word($1) + (0..<5).flatMap { _ in word(0) } }
  }

  /// Six training and four test images with their writers; the test file goes on, as QMNIST's does.
  func write(training: [UInt8] = [0, 1, 2, 3, 4, 5]) {
    folder.write("mnist/train-images-idx3-ubyte", idx([6, 4, 4], [UInt8](repeating: 1, count: 96)))
    folder.write("mnist/train-labels-idx1-ubyte", idx([6], [0, 1, 2, 3, 4, 5]))
    folder.write("mnist/t10k-images-idx3-ubyte", idx([4, 4, 4], [UInt8](repeating: 1, count: 64)))
    folder.write("mnist/t10k-labels-idx1-ubyte", idx([4], [9, 8, 7, 6]))
    folder.write("mnist-writers/qmnist-train-labels-idx2-int", writers(training, [700, 30, 700, 30, 5, 700]))
    folder.write("mnist-writers/qmnist-test-labels-idx2-int.gz", gzip(writers([9, 8, 7, 6, 0], [1, 1, 2, 3, 3])))
  }

  @Test("writers are numbered in their order, and stay with their digits through cuts and augmentation")
  func digits() throws {
    write()
    let places = SearchPlaces(roots: [folder.path])
    let set = try load("data: mnist-writers", places: places)
    #expect(set.training.groups?.numbers == [2, 1, 2, 1, 0, 2])
    #expect(set.training.groups?.names == ["writer 5", "writer 30", "writer 700"])
    #expect(set.test.groups?.numbers == [0, 0, 1, 2])
    #expect((0..<6).map { set.training.label($0) } == [0, 1, 2, 3, 4, 5])
    let whole = try #require(set.training.groups)
    let cut = try load(
      "data: {name: mnist-writers, validation: 0.34, augment: {crop: 1, flip: true}}", places: places)
    let groups = try #require(cut.training.groups)
    #expect(cut.training.count == 4)
    for index in 0..<4 {
      let original = Int(cut.training.key(index))
      #expect(groups.numbers[index] == whole.numbers[original])
      #expect(cut.training.label(index) == original)
    }
    #expect(cut.fingerprint() != (try load("data: mnist", places: places).fingerprint()))
  }

  @Test("labels that are not those of the digits, and digits that are not there, are refused")
  func mismatch() {
    write(training: [0, 1, 2, 3, 4, 6])
    let places = SearchPlaces(roots: [folder.path])
    #expect(
      message { _ = try load("data: mnist-writers", places: places) }.contains(
        "qmnist-train-labels-idx2-int: row 5 is of another class than digit 5"))
    folder.write("mnist-writers/qmnist-train-labels-idx2-int", idx([6], [0, 1, 2, 3, 4, 5]))
    #expect(message { _ = try load("data: mnist-writers", places: places) }.contains("not 6 rows of 8 numbers"))
    #expect(
      message { _ = try load("data: {name: mnist-writers, path: \(folder.path)}") }.contains(
        "does not hold qmnist-train-labels-idx2-int"))
  }

  @Test("speakers keep to their own lines; the end of each is the test part")
  func speakers() throws {
    let lines = [
      "ANN": [String](repeating: "a", count: 60), "BOB": [String](repeating: "bb", count: 40), "CY": ["ccc"],
    ]
    let json: [String: Any] = [
      "users": ["ANN", "BOB", "CY"], "num_samples": [60, 40, 1], "user_data": lines.mapValues { ["raw": $0] },
    ]
    folder.write("by_speaker.json", Array(try JSONSerialization.data(withJSONObject: json)))
    let section = "{name: tinyshakespeare, path: \(folder.path), speakers: true, context: 5"
    for shift in [true, false] {
      let set = try load("data: \(section), shift: \(shift)}")
      let groups = try #require(set.training.groups)
      #expect(groups.names == ["ANN", "BOB"])
      #expect(set.vocabulary == ["\n", "a", "b", "c"])
      #expect(set.origin.hasSuffix("(2 of 3 speakers)"))
      #expect(groups.numbers.count == set.training.count)
      #expect(Set(groups.numbers) == [0, 1])
      for epoch in [UInt64(0), 1, 2] {
        for index in 0..<set.training.count {
          let (input, target) = sample(set.training, index, epoch: epoch)
          let other: UInt32 = groups.numbers[index] == 0 ? 2 : 1
          #expect(Set(input + target).isDisjoint(with: [other, 3]))
        }
      }
      // 54 of 60 lines of two characters, 36 of 40 of three: 108 each.
      if !shift { #expect(set.training.count == 42) }
      let cut = try load("data: \(section), shift: \(shift), validation: 0.5}")
      let held = try #require(cut.validation)
      #expect(Set(held.groups?.numbers ?? []) == [0, 1])
      let keys = (0..<cut.training.count).map { cut.training.key($0) }
      #expect(Set(keys).isDisjoint(with: (0..<held.count).map { held.key($0) }))
      #expect(held.count > 10 && cut.training.count > 10)
    }
    folder.write("by_speaker.json", "{\"users\": [\"X\"], \"user_data\": {}}")
    #expect(message { _ = try load("data: \(section)}") }.contains("user_data has no `X`"))
    folder.write("by_speaker.json", "[1")
    #expect(message { _ = try load("data: \(section)}") }.contains("not an object of users and user_data"))
    let nowhere = message { _ = try load("data: {name: tinyshakespeare, path: /nowhere, speakers: true}") }
    #expect(nowhere.contains("/nowhere does not hold by_speaker.json"))
  }

  @Test("a folder without archives of Omniglot, and an archive that is none")
  func noOmniglot() {
    #expect(
      message { _ = try load("data: {name: omniglot, path: \(folder.path)}") }.contains("images_background_small1.zip"))
    folder.write("images_background_small1.zip", [1, 2, 3])
    #expect(message { _ = try load("data: {name: omniglot, path: \(folder.path)}") }.contains("not a whole zip"))
  }
}

@Suite("Real data with groups, where NNDIST_DATA has them", .enabled(if: realData != nil))
struct RealGroupTests {
  let places = SearchPlaces(roots: [realData ?? ""])

  func sizes(_ source: any DataSource) throws -> [Int] {
    let groups = try #require(source.groups)
    var sizes = [Int](repeating: 0, count: groups.names.count)
    for number in groups.numbers { sizes[Int(number)] += 1 }
    return sizes.sorted()
  }

  @Test("MNIST's writers")
  func writers() throws {
    guard FileManager.default.fileExists(atPath: (realData ?? "") + "/mnist-writers") else { return }
    let set = try load("data: mnist-writers", places: places)
    let training = try sizes(set.training)
    let test = try sizes(set.test)
    try #require(training.count == 539 && test.count == 297)
    #expect([0, 269, 538].map { training[$0] } == [19, 116, 131])
    #expect([0, 148, 296].map { test[$0] } == [8, 21, 130])
    let names = (set.training.groups?.names ?? []) + (set.test.groups?.names ?? [])
    #expect(Set(names).count == 836)
  }

  @Test("Shakespeare's speakers")
  func speakers() throws {
    guard FileManager.default.fileExists(atPath: (realData ?? "") + "/tinyshakespeare/by_speaker.json") else { return }
    let set = try load("data: {name: tinyshakespeare, speakers: true, context: 20}", places: places)
    #expect(set.vocabulary.count == 65)
    #expect((200...299).contains(try sizes(set.training).count))
    #expect(try sizes(set.training).allSatisfy { $0 > 0 })
  }

  @Test("Omniglot: characters, drawers, rotations and alphabets held out")
  func omniglot() throws {
    guard FileManager.default.fileExists(atPath: (realData ?? "") + "/omniglot") else { return }
    let set = try load("data: omniglot", places: places)
    #expect(set.classes == 242)
    #expect(set.classNames.count == 242)
    #expect(set.training.count + set.test.count == 4840)
    #expect(set.test.count == 64 * 20)
    #expect(set.classNames.suffix(17).allSatisfy { $0.hasPrefix("Tagalog/") })
    #expect(try sizes(set.training).count == 6 * 20)
    #expect(try sizes(set.test) == [Int](repeating: 17, count: 20) + [Int](repeating: 47, count: 20))
    var counts = [Int](repeating: 0, count: 242)
    for source in [set.training, set.test] { for index in 0..<source.count { counts[source.label(index) ?? 0] += 1 } }
    #expect(counts == [Int](repeating: 20, count: 242))
    // Ink is a twentieth or so of the paper, and lies away from its edge.
    let ink = floats(set.training, 0)
    #expect(ink.allSatisfy { $0 >= 0 && $0 <= 1 })
    #expect((0.01...0.3).contains(ink.reduce(0, +) / 784))

    let turned = try load("data: {name: omniglot, rotations: 4}", places: places)
    #expect(turned.classes == 968)
    #expect(turned.training.count == 4 * set.training.count)
    #expect(floats(turned.training, 5) == floats(set.training, 5))
    let quarter = floats(turned.training, set.training.count + 5)
    let upright = floats(set.training, 5)
    let expected = (0..<784).map { place -> Float in upright[28 * (place % 28) + 27 - place / 28] }
    #expect(quarter == expected)
    #expect(turned.training.label(set.training.count) == 178)

    let mixed = try load("data: {name: omniglot, held-out: []}", places: places)
    #expect(mixed.test.count == 968 && mixed.classes == 242)
    #expect(
      message { _ = try load("data: {name: omniglot, held-out: [Klingon]}", places: places) }.contains(
        "data.held-out names Klingon"))
  }
}
