import Datasets
import Tensors
import Testing

/// `count` images of `side`×`side` pixels and `channels` channels, every byte another.
func images(_ count: Int, side: Int, channels: Int, normalisation: Normalisation = .identity) -> ImageSource {
  var stream = RandomStream(seed: 11, .test)
  let pixels = (0..<(count * side * side * channels)).map { _ in UInt8(truncatingIfNeeded: stream.next()) }
  return ImageSource(
    pixels: pixels, shape: [side, side, channels], labels: (0..<count).map { Int32($0 % 5) }, classes: 5,
    normalisation: normalisation)
}

@Suite("Augmentation")
struct AugmentationTests {
  /// Crop and flip as they are defined, from the untouched image.
  func reference(
    _ image: [Float], side: Int, channels: Int, down: Int, right: Int, flip: Bool, black: [Float]?
  ) -> [Float] {
    var output: [Float] = []
    for y in 0..<side {
      for x in 0..<side {
        var column = (flip ? side - 1 - x : x) - right
        var row = y - down
        let outside = row < 0 || row >= side || column < 0 || column >= side
        if outside, let black {
          output += black
          continue
        }
        if row < 0 { row = -row }
        if row >= side { row = 2 * (side - 1) - row }
        if column < 0 { column = -column }
        if column >= side { column = 2 * (side - 1) - column }
        output += image[((row * side + column) * channels)..<((row * side + column + 1) * channels)]
      }
    }
    return output
  }

  @Test(
    "the crop is one of the padded image, the flip its mirror, both by key", arguments: [1, 3], [false, true])
  func definition(channels: Int, reflects: Bool) {
    let side = 7
    let crop = 3
    let normalisation = Normalisation(mean: [0.5], deviation: [0.25])
    let source = images(6, side: side, channels: channels, normalisation: normalisation)
    let augmented = AugmentedSource(
      source, seed: 5, crop: crop, flip: true, padding: reflects ? .reflection : .constant(source.black))
    var seen: Set<[Float]> = []
    for epoch in 0..<20 as Range<UInt64> {
      for index in 0..<6 {
        let result = floats(augmented, index, epoch: epoch)
        var stream = RandomStream(seed: 5, .augmentation, epoch: epoch, sample: UInt64(index))
        let down = stream.below(2 * crop + 1) - crop
        let right = stream.below(2 * crop + 1) - crop
        let flip = stream.nextWord() & 1 == 1
        let expected = reference(
          floats(source, index), side: side, channels: channels, down: down, right: right, flip: flip,
          black: reflects ? nil : source.black)
        #expect(result == expected, "down \(down), right \(right), flip \(flip)")
        #expect(floats(augmented, index, epoch: epoch) == result)
        #expect(augmented.label(index) == source.label(index))
        if index == 0 { seen.insert(result) }
      }
    }
    #expect(seen.count > 10)
  }

  @Test("a sample keeps its crop when the set around it is cut")
  func keyed() {
    let source = images(10, side: 8, channels: 1)
    let whole = AugmentedSource(source, seed: 1, crop: 2, flip: true, padding: .reflection)
    let part = AugmentedSource(SubsetSource(source, [7, 3]), seed: 1, crop: 2, flip: true, padding: .reflection)
    #expect(floats(part, 0, epoch: 4) == floats(whole, 7, epoch: 4))
    #expect(floats(part, 1, epoch: 4) == floats(whole, 3, epoch: 4))
    #expect(part.key(0) == 7)
  }
}

@Suite("Deforming images")
struct DeformationTests {
  @Test("by nothing is the image itself")
  func nothing() {
    let source = images(3, side: 9, channels: 3)
    let deformed = DeformedSource(source, seed: 2, share: 0, black: source.black)
    for index in 0..<3 { #expect(floats(deformed, index, epoch: 5) == floats(source, index)) }
  }

  @Test("takes what lies at the mapped place, between four pixels, by key", arguments: [1, 3])
  func definition(_ channels: Int) {
    let (side, share) = (8, Float(0.3))
    let source = images(4, side: side, channels: channels, normalisation: Normalisation(mean: [0.5], deviation: [0.25]))
    let deformed = DeformedSource(source, seed: 6, share: share, black: source.black)
    var seen: Set<[Float]> = []
    for epoch in 0..<10 as Range<UInt64> {
      let result = floats(deformed, 1, epoch: epoch)
      var stream = RandomStream(seed: 6, .augmentation, epoch: epoch, sample: 1, layer: 1)
      let numbers = (0..<6).map { _ in (2 * Double(stream.uniform()) - 1) * Double(share) }
      let image = floats(source, 1)
      let middle = Double(side - 1) / 2
      for row in 0..<side {
        for column in 0..<side {
          let (y, x) = (Double(row) - middle, Double(column) - middle)
          let from = (1 + numbers[0]) * y + numbers[1] * x + middle + numbers[4] * Double(side) / 2
          let beside = numbers[2] * y + (1 + numbers[3]) * x + middle + numbers[5] * Double(side) / 2
          for channel in 0..<channels {
            // Every pixel counts by its nearness, those beyond the edge are black.
            var expected = 0.0
            for other in -side..<2 * side {
              for place in -side..<2 * side {
                let weight = max(0, 1 - abs(from - Double(other))) * max(0, 1 - abs(beside - Double(place)))
                let isInside = (0..<side).contains(other) && (0..<side).contains(place)
                let pixel = isInside ? image[(other * side + place) * channels + channel] : source.black[channel]
                expected += weight * Double(pixel)
              }
            }
            #expect(abs(Double(result[(row * side + column) * channels + channel]) - expected) < 1e-4)
          }
        }
      }
      #expect(floats(deformed, 1, epoch: epoch) == result)
      #expect(
        floats(DeformedSource(SubsetSource(source, [1]), seed: 6, share: share, black: source.black), 0, epoch: epoch)
          == result)
      seen.insert(result)
    }
    #expect(seen.count == 10)
    let both = AugmentedSource(deformed, seed: 6, crop: 1, flip: true, padding: .constant(source.black))
    #expect(floats(both.unaugmented, 1) == floats(source, 1))
  }
}

@Suite("Cutting a set")
struct SubsetTests {
  @Test("the parts are disjoint and together the whole; the seed alone decides", arguments: [0, 0.1, 0.5, 1])
  func cut(fraction: Double) {
    let source = images(37, side: 2, channels: 1)
    let (part, rest) = SubsetSource.cut(source, fraction: fraction, seed: 3, layer: 0)
    #expect(part.count == Int((37 * fraction).rounded()))
    let keys = (0..<part.count).map(part.key) + (0..<rest.count).map(rest.key)
    #expect(keys.sorted() == (0..<37).map { UInt64($0) })
    let again = SubsetSource.cut(source, fraction: fraction, seed: 3, layer: 0).part
    #expect((0..<part.count).map(part.key) == (0..<again.count).map(again.key))
    let other = SubsetSource.cut(source, fraction: fraction, seed: 4, layer: 0).part
    if fraction == 0.5 { #expect((0..<part.count).map(part.key) != (0..<other.count).map(other.key)) }
    for index in 0..<part.count { #expect(floats(part, index) == floats(source, Int(part.key(index)))) }
  }
}

@Suite("Text by character")
struct TextTests {
  let folder = Folder()

  @Test(
    "tokens follow the sorted vocabulary and targets are the next tokens",
    arguments: ["abcabcabcabcabcd", "çßa€çßa€çßa€"])
  func windows(text: String) throws {
    let path = folder.write("t.txt", text)
    let set = try load("data: {format: text, path: \(path), context: 3, test: 0.5, shift: false}")
    let symbols = Set(text.unicodeScalars).sorted().map { Character($0) }
    #expect(set.vocabulary == symbols)
    #expect(set.training.inputType == .tokens(vocabulary: symbols.count))
    #expect(set.training.targetType == .classes(symbols.count))
    #expect(set.training.targetShape == [3])
    let tokens = Array(text).map { UInt32(symbols.firstIndex(of: $0) ?? -1) }
    let half = tokens.count / 2
    for (part, start) in [(set.training, 0), (set.test, half)] {
      #expect(part.count == (half - 1) / 3)
      for index in 0..<part.count {
        let first = start + 3 * index
        let (input, target) = sample(part, index)
        #expect(input == Array(tokens[first..<(first + 3)]))
        #expect(target == Array(tokens[(first + 1)..<(first + 4)]))
      }
    }
  }

  @Test("shifted epochs stay in their stretches, never in validation; evaluation does not move")
  func stretches() throws {
    // Every character occurs once, so that a token tells its place.
    let text = String(String.UnicodeScalarView((0..<600).compactMap { Unicode.Scalar(0x4E00 + $0) }))
    let path = folder.write("t.txt", text)
    let set = try load("data: {format: text, path: \(path), context: 8, test: 0.1, validation: 0.2}")
    let validation = try #require(set.validation)
    func places(_ source: any DataSource, _ epochs: Range<UInt64>) -> Set<UInt32> {
      var places: Set<UInt32> = []
      for epoch in epochs {
        for index in 0..<source.count {
          let (input, target) = sample(source, index, epoch: epoch)
          #expect(target == input.map { $0 + 1 })
          places.formUnion(input + target)
        }
      }
      return places
    }
    let trained = places(set.training, 0..<40)
    let held = places(validation, 0..<3)
    let tested = places(set.test, 0..<3)
    #expect(trained.isDisjoint(with: held))
    #expect(trained.isDisjoint(with: tested))
    #expect(held.isDisjoint(with: tested))
    #expect(held == places(validation, 0..<1))
    #expect(sample(set.training, 0, epoch: 0).input != sample(set.training, 0, epoch: 1).input)
    #expect(trained.count > 400)
    #expect(Set((0..<set.training.count).map(set.training.key)).count == set.training.count)
  }

  @Test("what is no text is refused")
  func refuses() {
    func fault(_ bytes: [UInt8]) -> String {
      let path = folder.write("bad.txt", bytes)
      return message { _ = try load("data: {format: text, path: \(path), context: 4}") }
    }
    #expect(fault([]).contains("the text is empty"))
    #expect(fault([0x61, 0xFF, 0x62]).contains("not UTF-8"))
    #expect(fault(Array("short".utf8)).contains("lower data.context"))
  }
}

@Suite("Fingerprints")
struct FingerprintTests {
  func digest(_ source: any DataSource) -> String {
    var checksum = Checksum()
    source.fingerprint(&checksum)
    return checksum.hexadecimal()
  }

  @Test("SHA-256 as FIPS 180-4 gives it")
  func checksum() {
    var checksum = Checksum()
    checksum.update(Array("a".utf8))
    checksum.update(Array("bc".utf8))
    #expect(checksum.hexadecimal() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }

  @Test("equal data agree; one pixel, label or scale apart do not")
  func content() {
    func make(_ pixel: UInt8, _ label: Int32, _ mean: Float) -> ImageSource {
      ImageSource(
        pixels: [1, 2, 3, pixel], shape: [2, 2, 1], labels: [label], classes: 3,
        normalisation: Normalisation(mean: [mean], deviation: [1]))
    }
    #expect(digest(make(4, 1, 0)) == digest(make(4, 1, 0)))
    #expect(Set([make(4, 1, 0), make(5, 1, 0), make(4, 2, 0), make(4, 1, 0.5)].map(digest)).count == 4)
  }
}
