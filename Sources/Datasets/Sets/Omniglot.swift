import Configuration
import Tensors

extension CatalogEntry {
  /// Characters of many alphabets, drawn by twenty people each (B. Lake, R. Salakhutdinov, J. Tenenbaum, Science 2015).
  /// Whatever of the published archives is there is used; the small ones are parts of the background set.
  package static let omniglot = CatalogEntry(
    name: "omniglot", summary: "characters of many alphabets, each by 20 drawers, 28x28 pixels", licence: "MIT",
    files: PublishedFile.list(
      at: "https://raw.githubusercontent.com/brendenlake/omniglot/master/python",
      [
        ("images_background_small1.zip", "f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4"),
        ("images_background_small2.zip", "3ccaa407515a8778e5d0861875af38b17e418f301ad5bb3b5a6b65d901a41c7f"),
      ]), isImages: true,
    contents: { folder in
      let archives = Omniglot.archives(folder)
      return archives.isEmpty ? nil : "\(archives.count) \(archives.count == 1 ? "archive" : "archives")"
    }
  ) { (options, image) throws(ConfigurationError) in
    let set = try Omniglot(&options)
    return { (folder, _) throws(DataError) in try set.parts(folder, image) }
  }
}

/// The options of Omniglot, and how its archives become images.
///
/// Drawings of 105x105 black and white pixels become 28x28 by the mean over what a pixel covers (3.75 pixels a side); ink is
/// 1 and paper 0, as J. Snell et al. (2017) invert them.  They resize by picking the nearest pixel, others by filters of more
/// taps.  Drawers are groups for each alphabet: its drawer 7 is another person than that of the next.
struct Omniglot: Sendable {
  private let rotations: Int
  private let heldOut: [String]
  /// Empty for all.
  private let alphabets: [String]

  init(_ options: inout Options) throws(ConfigurationError) {
    rotations = try options.integer(
      "rotations", default: 1, in: 1...4,
      "turns by 90 degrees that make further classes of every character: 4 makes four classes of each")
    heldOut = try options.texts(
      "held-out", default: ["Japanese_(katakana)", "Tagalog"],
      "alphabets that are the test part, with classes of their own; an empty list tests on a fifth of all samples")
    alphabets = try options.texts("alphabets", default: [], "the only alphabets that are read; an empty list reads all")
  }

  static func archives(_ folder: String) -> [String] {
    ["images_background.zip", "images_evaluation.zip", "images_background_small1.zip", "images_background_small2.zip"]
      .compactMap { firstFile([$0], in: folder) }
  }

  func parts(_ folder: String, _ image: ImageOptions) throws(DataError) -> Parts {
    let archives = Omniglot.archives(folder)
    guard !archives.isEmpty else {
      throw DataError(.missing, "\(folder) does not hold images_background_small1.zip or another archive of Omniglot")
    }
    // The small archives overlap: a drawing counts once.
    var found: [Drawing: [UInt8]] = [:]
    for path in archives {
      let archive = try ZIPFile(path)
      for entry in archive.entries {
        guard let drawing = Drawing(entry.name), found[drawing] == nil else { continue }
        found[drawing] = try Omniglot.image(archive, entry)
      }
    }
    guard !found.isEmpty else { throw DataError.malformed(archives[0], "holds no drawings; get the file again") }
    let present = Set(found.keys.map(\.alphabet))
    if let unknown = alphabets.first(where: { !present.contains($0) }) {
      throw DataError(
        .unsuitable, "data.alphabets names \(unknown); \(folder) has \(present.sorted().joined(separator: ", "))")
    }
    let read = alphabets.isEmpty ? present : Set(alphabets)
    if let unknown = heldOut.first(where: { !read.contains($0) }) {
      throw DataError(
        .unsuitable, "data.held-out names \(unknown), but what is read is \(read.sorted().joined(separator: ", "))")
    }
    let drawings = found.filter { read.contains($0.key.alphabet) }.sorted { $0.key < $1.key }
    let normalisation = try image.normalisation(.identity, channels: 1)
    let training = Characters(drawings.filter { !heldOut.contains($0.key.alphabet) }, rotations)
    let test = Characters(drawings.filter { heldOut.contains($0.key.alphabet) }, rotations)
    guard !training.names.isEmpty else {
      throw DataError(.unsuitable, "data.held-out leaves no alphabet to train on; shorten it")
    }
    let classes = training.names.count + test.names.count
    func source(_ characters: Characters, first: Int) -> any DataSource {
      characters.source(firstClass: first, classes: classes, normalisation)
    }
    let whole = source(training, first: 0)
    var parts =
      heldOut.isEmpty
      ? try Parts.split(whole, test: 0.2, path: folder)
      : Parts(training: whole, test: source(test, first: training.names.count))
    parts.classNames = training.names + test.names
    parts.black = [-normalisation.mean(of: 0) / normalisation.deviation(of: 0)]
    parts.detail = "\(classes / rotations) characters of \(read.count) alphabets"
    return parts
  }

  private static func image(_ archive: ZIPFile, _ entry: ZIPFile.Entry) throws(DataError) -> [UInt8] {
    let bytes = try archive.read(entry)
    let png = try PNGFile(bytes.bytes, path: "\(archive.path), \(entry.name)")
    guard png.width >= Characters.side, png.height >= Characters.side else {
      throw DataError.malformed(
        archive.path, "\(entry.name) has \(png.width)x\(png.height) pixels, fewer than \(Characters.side)")
    }
    return Characters.reduced(png)
  }
}

/// Which drawing of a character: `…/Greek/character01/0394_07.png` is drawer 7's.
private struct Drawing: Hashable, Comparable {
  let alphabet: String
  let character: String
  let drawer: Int

  init?(_ path: String) {
    let words = path.split(separator: "/")
    guard words.count >= 3, words[words.count - 1].hasSuffix(".png") else { return nil }
    let file = words[words.count - 1].dropLast(4).split(separator: "_")
    guard file.count == 2, let drawer = Int(file[1]) else { return nil }
    alphabet = String(words[words.count - 3])
    character = String(words[words.count - 2])
    self.drawer = drawer
  }

  static func < (left: Drawing, right: Drawing) -> Bool {
    (left.alphabet, left.character, left.drawer) < (right.alphabet, right.character, right.drawer)
  }
}

/// Drawings by character, each character as many classes as it is turned.
private struct Characters {
  static let side = 28

  /// The names of the classes: all characters upright, then all turned once, and so on.
  private(set) var names: [String] = []
  private var pixels: [UInt8] = []
  private var labels: [Int32] = []
  private var drawers: [Int32] = []
  private let drawerNames: [String]

  /// Takes drawings in order.
  init(_ drawings: [(key: Drawing, value: [UInt8])], _ rotations: Int) {
    drawerNames = Set(drawings.map { Characters.drawer($0.key) }).sorted()
    let groups = Dictionary(uniqueKeysWithValues: zip(drawerNames, Int32(0)...))
    for turn in 0..<rotations {
      var last: String?
      for (drawing, image) in drawings {
        let name = "\(drawing.alphabet)/\(drawing.character)" + (turn > 0 ? " \(90 * turn)°" : "")
        if name != last { names.append(name) }
        last = name
        pixels += Characters.turned(image, turn)
        labels.append(Int32(names.count - 1))
        drawers.append(groups[Characters.drawer(drawing)] ?? 0)
      }
    }
  }

  func source(firstClass: Int, classes: Int, _ normalisation: Normalisation) -> any DataSource {
    let images = ImageSource(
      pixels: .copy(pixels), shape: [Characters.side, Characters.side, 1],
      labels: labels.map { $0 + Int32(firstClass) }, classes: classes, scale: 255, normalisation: normalisation)
    return GroupedSource(images, SampleGroups(numbers: drawers, names: drawerNames))
  }

  private static func drawer(_ drawing: Drawing) -> String {
    "\(drawing.alphabet), drawer \(drawing.drawer < 10 ? "0" : "")\(drawing.drawer)"
  }

  /// The image turned counter-clockwise by so many quarters.
  private static func turned(_ image: [UInt8], _ quarters: Int) -> [UInt8] {
    (0..<quarters).reduce(image) { image, _ in
      (0..<side * side).map { image[$0 % side * side + side - 1 - $0 / side] }
    }
  }

  /// Ink of 28x28 pixels, 0...255: the mean over what each covers, rounded.
  static func reduced(_ png: PNGFile) -> [UInt8] {
    // On a grid that both sizes divide, a source pixel is `side` long and a result `extent`.
    func covered(_ place: Int, of extent: Int) -> [(source: Int, weight: Int)] {
      let (start, end) = (place * extent, (place + 1) * extent)
      return (start / side...(end - 1) / side).map { ($0, min(end, ($0 + 1) * side) - max(start, $0 * side)) }
    }
    let columns = (0..<side).map { covered($0, of: png.width) }
    let area = png.width * png.height
    var result: [UInt8] = []
    result.reserveCapacity(side * side)
    for row in 0..<side {
      let rows = covered(row, of: png.height)
      for column in columns {
        var ink = 0
        for (y, height) in rows {
          for (x, width) in column { ink += height * width * (255 - Int(png.pixels[y * png.width + x])) }
        }
        result.append(UInt8((2 * ink + area) / (2 * area)))
      }
    }
    return result
  }
}
