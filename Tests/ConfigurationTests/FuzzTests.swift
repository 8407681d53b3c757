import Configuration
import Testing

/// SplitMix64 (Steele, Lea, Flood 2014): the same mutations every time.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

@Suite("Any bytes parse or are refused")
struct FuzzTests {
  static let fragments: [String] = [
    "{", "}", "[", "]", ": ", "- ", "\n", "\n  ", "\t", "'", "\"", "#", " #", "&a ", "*a", "!", "!!str ", "? ", "|\n",
    ">-\n",
    "%YAML 1.2\n", "---\n", "...\n", "\0", "\u{85}", "\u{2028}", "\u{FEFF}", "\\", ",", "~", "<<: ", "é", "\r", "\r\n",
    "''", "  ",
  ]

  static func mutate(_ text: [UInt8], _ random: inout SplitMix) -> [UInt8] {
    var bytes = text
    for _ in 0...Int.random(in: 0..<6, using: &random) {
      let at = Int.random(in: 0...bytes.count, using: &random)
      switch Int.random(in: 0..<6, using: &random) {
      case 0: bytes.insert(contentsOf: fragments.randomElement(using: &random)!.utf8, at: at)
      case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
      case 2: bytes.insert(UInt8.random(in: 0x20...0x7E, using: &random), at: at)
      case 3: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 0..<8, using: &random)))
      case 4: if at < bytes.count { bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
      default:
        let from = Int.random(in: 0...bytes.count, using: &random)
        let to = Int.random(in: from...min(bytes.count, from + 40), using: &random)
        bytes.insert(contentsOf: Array(bytes[from..<to]), at: at)
      }
    }
    return bytes
  }

  @Test(arguments: Samples.all.indices)
  func mutations(sample: Int) throws {
    var random = SplitMix(state: UInt64(sample))
    var counts = (parsed: 0, refused: 0)
    let original = Array(Samples.all[sample].utf8)
    for _ in 0..<3000 {
      let bytes = Self.mutate(original, &random)
      do throws(ConfigurationError) {
        let node = try Node.parse(bytes, file: "x")
        counts.parsed += 1
        let yaml = node.yaml()
        let again: Node? = try? Node.parse(yaml, file: "x")
        #expect(again == node, "from \(String(decoding: bytes, as: UTF8.self))\nto \(yaml)")
        let line: Node? = try? Node.parse(node.yamlOnOneLine(), file: "x")
        #expect(line == node, "on one line: \(node.yamlOnOneLine())")
      } catch {
        counts.refused += 1
        #expect(error.place?.file == "x")
        #expect(!error.description.contains { $0.isNewline }, "\(error)")
      }
    }
    #expect(counts.parsed > 300 && counts.refused > 300, "\(counts)")
  }

  /// A random node of limited depth, with texts that try syntax.
  static func node(_ random: inout SplitMix, depth: Int) -> Node {
    switch Int.random(in: 0..<(depth > 0 ? 7 : 5), using: &random) {
    case 0: return .null
    case 1: return .number(Double(Int.random(in: -1000...1000, using: &random)) / 8)
    case 2: return .flag(Bool.random(using: &random))
    case 3: return .text(text(&random))
    case 4: return .scalar(text(&random))
    case 5: return .list((0..<Int.random(in: 0..<5, using: &random)).map { _ in node(&random, depth: depth - 1) })
    default:
      var entries: [(String, Node)] = []
      for _ in 0..<Int.random(in: 0..<5, using: &random) {
        let key = text(&random)
        if !entries.contains(where: { $0.0 == key }) { entries.append((key, node(&random, depth: depth - 1))) }
      }
      return .map(entries)
    }
  }

  static func text(_ random: inout SplitMix) -> String {
    var text = ""
    for _ in 0..<Int.random(in: 0..<8, using: &random) {
      text += [fragments.randomElement(using: &random)!, "word", "1", "-", ".", "x y", "null", " "].randomElement(
        using: &random)!
    }
    return text
  }

  @Test func builtNodesReadBack() throws {
    var random = SplitMix(state: 7)
    for _ in 0..<3000 {
      let node = Self.node(&random, depth: 5)
      let again = try Node.parse(node.yaml(), file: "x")
      #expect(again == node, "\(node.yaml())")
      #expect(again.yaml() == node.yaml())
    }
  }

  @Test func settingsNeverCrash() throws {
    var random = SplitMix(state: 11)
    let root = try Node.parse(Samples.layers, file: "x")
    let paths = [
      "model", "model.layers", "model.layers.0", "a.b", "federated.partition.alpha", "model.layers.1.x", ".", "a..b",
    ]
    for _ in 0..<2000 {
      let path = String(decoding: Self.mutate(Array(paths.randomElement(using: &random)!.utf8), &random), as: UTF8.self)
      let value = Self.text(&random)
      do throws(ConfigurationError) {
        let changed = try root.setting(path, to: value, source: "--set")
        let again: Node? = try? Node.parse(changed.yaml(), file: "x")
        #expect(again == changed, "\(path)=\(value)")
      } catch {
        #expect(error.description.hasPrefix("--set: "), "\(error)")
      }
    }
  }
}
