import Configuration
import Datasets
import Foundation
import Tensors
import Testing

/// The samples of every client of a partition.
func clients(of partition: Partition) -> [[Int32]] {
  var buffer: [Int32] = []
  return (0..<partition.clients).map { client in
    partition.samples(of: client, into: &buffer)
    return buffer
  }
}

/// Reads `federated: {…}` and deals a set.
func dealt(_ federated: String, _ set: PartitionedSet, seed: UInt64 = 1) throws -> Partition {
  var options = Options(try Node.parse(federated, file: "a.yaml"), path: "federated")
  let read = try PartitionOptions(&options)
  try options.finish()
  return try read.partition(set, seed: seed)
}

/// Samples whose classes come round robin, made by 24 groups of different sizes.
func generatedSet(_ count: Int, classes: Int = 10) -> PartitionedSet {
  PartitionedSet(
    count: count, labels: (0..<Int32(count)).map { $0 % Int32(classes) }, classes: classes,
    groups: SampleGroups(
      numbers: (0..<count).map { Int32((($0 * 7) % 23 + $0 % 2) % 24) }, names: (0..<24).map { "group \($0)" }))
}

/// Samples of each class that each client holds.
func histograms(_ partition: Partition, _ set: PartitionedSet) -> [[Int]] {
  clients(of: partition).map { samples in
    var counts = [Int](repeating: 0, count: set.classes)
    for sample in samples { counts[Int(set.labels?[Int(sample)] ?? 0)] += 1 }
    return counts
  }
}

@Suite("Every partition")
struct PartitionLawTests {
  static let dealing = [
    "iid", "dirichlet", "{name: dirichlet, alpha: 0.1, minimum: 0}", "{name: dirichlet, alpha: 0.1, balanced: true}",
    "shards", "{name: shards, shards-per-client: 3, minimum: 0}", "classes", "{name: classes, classes-per-client: 3}",
    "{name: classes, classes-per-client: 10}", "{name: quantity, alpha: 1}", "natural",
  ]

  @Test("deals every sample once", arguments: dealing, [1, 7, 20])
  func whole(kind: String, count: Int) throws {
    // One client of two classes leaves eight to nobody.
    if kind.hasPrefix("classes") || kind.contains("name: classes"), count < 10, !kind.contains("10") { return }
    let set = generatedSet(3001)
    let partition = try dealt("{clients: \(count), partition: \(kind)}", set)
    #expect(partition.clients == count)
    let all = clients(of: partition)
    #expect(all.flatMap { $0 }.sorted() == (0..<3001).map { $0 })
    #expect(all.map(\.count) == (0..<count).map(partition.count))
    #expect(all.allSatisfy { $0 == $0.sorted() })
    #expect(partition.largest == all.map(\.count).max())
  }

  @Test("is a function of the seed", arguments: dealing + ["{name: resample, samples: 20}"])
  func seeded(kind: String) throws {
    let set = generatedSet(3000)
    func deal(_ seed: UInt64) throws -> Partition {
      try dealt("{clients: 15, partition: \(kind)}", set, seed: seed)
    }
    let first = try deal(1)
    #expect(clients(of: try deal(1)) == clients(of: first))
    #expect(try deal(1).fingerprint() == first.fingerprint())
    #expect(clients(of: try deal(2)) != clients(of: first))
    #expect(try deal(2).fingerprint() != first.fingerprint())
  }

  @Test("gives every client its minimum, or refuses in one line with the counts", arguments: dealing)
  func minimum(kind: String) throws {
    let set = generatedSet(3000)
    let bare = kind.hasPrefix("{") ? String(kind.dropFirst().dropLast()) : "name: \(kind)"
    let words = bare.split(separator: ", ").filter { !$0.hasPrefix("minimum") }.joined(separator: ", ")
    let partition = try dealt("{clients: 10, partition: {\(words), minimum: 20}}", set)
    #expect(PartitionSizes(partition).minimum >= 20)
    let text = message { _ = try dealt("{clients: 10, partition: {\(words), minimum: 301}}", set) }
    #expect(text.contains("10 clients cannot have 301 of 3000 training samples each"))
    #expect(!text.contains("\n"))
  }

  @Test("reads into one buffer, whose memory stays where it is")
  func buffer() throws {
    let set = generatedSet(2000)
    for kind in ["dirichlet", "{name: resample, samples: 30}"] {
      let partition = try dealt("{clients: 12, partition: \(kind)}", set)
      var buffer: [Int32] = []
      buffer.reserveCapacity(partition.largest)
      let base = buffer.withUnsafeBufferPointer { $0.baseAddress }
      for client in 0..<12 { partition.samples(of: client, into: &buffer) }
      #expect(buffer.withUnsafeBufferPointer { $0.baseAddress } == base)
    }
  }

  @Test("refuses what cannot be, where it stands in the file")
  func refuses() {
    let set = generatedSet(100)
    let plain = PartitionedSet(count: 100)
    func text(_ federated: String, _ set: PartitionedSet) -> String { message { _ = try dealt(federated, set) } }
    for kind in PartitionLawTests.dealing {
      #expect(text("{clients: 101, partition: \(kind)}", set).contains("101 clients are more than the 100"), "\(kind)")
      #expect(text("{clients: 0, partition: \(kind)}", set).contains("federated.clients is 0"), "\(kind)")
    }
    for alpha in ["0", "-1", ".nan", ".inf", "many"] {
      for kind in ["dirichlet", "quantity"] {
        let text = text("{clients: 2, partition: {name: \(kind), alpha: \(alpha)}}", set)
        #expect(text.hasPrefix("a.yaml:1: federated.partition.alpha is"), "\(text)")
      }
    }
    #expect(
      text("{clients: 2, partition: {name: classes, classes-per-client: 11}}", set).contains(
        "11 classes for each client are more than the 10"))
    #expect(text("{clients: 4, partition: {name: shards, samples: 13}}", set).contains("4 clients of 2 shards of 13"))
    #expect(text("{clients: 2, partition: natural}", plain).contains("`natural` needs data that say who made"))
    #expect(text("{clients: 25, partition: natural}", set).contains("25 clients are more than the 24 groups"))
    for kind in ["dirichlet", "shards", "classes"] {
      #expect(text("{clients: 2, partition: \(kind)}", plain).contains("`\(kind)` needs samples of one class each"))
    }
    #expect(text("{clients: 2, partition: dirichlt}", set).contains("did you mean `dirichlet`?"))
    #expect(text("{clients: 2, partition: {name: iid, alpha: 1}}", set).contains("unknown key `alpha`"))
    #expect(text("{partition: iid}", set).contains("federated.clients is missing"))
    #expect(text("{clients: 2, partition: {name: iid, minimum: -1}}", set).contains("partition.minimum is -1"))
    #expect(text("{clients: 2, partition: {name: resample, samples: 0}}", set).contains("partition.samples is 0"))
    let gaveUp = text("{clients: 10, partition: {name: dirichlet, alpha: 0.001, minimum: 9}}", set)
    #expect(gaveUp.contains("in any of 101 draws (fewest 0, median "), "\(gaveUp)")
  }

  @Test("is documented, key by key", arguments: ["iid", "dirichlet", "shards", "classes", "quantity", "natural"])
  func documented(name: String) throws {
    let kind = try #require(PartitionCatalog.all.first { $0.name == name })
    let keys = PartitionCatalog.document(kind)
    #expect(keys.map(\.key).contains("federated.partition.minimum"))
    #expect(keys.allSatisfy { !$0.help.isEmpty } && !kind.help.isEmpty)
    #expect(keys.contains { $0.key.hasSuffix("alpha") } == ["dirichlet", "quantity"].contains(name))
  }
}

@Suite("What each kind of partition promises")
struct PartitionKindTests {
  @Test("iid: sizes within one, classes near their share")
  func even() throws {
    let set = generatedSet(6007)
    let partition = try dealt("{clients: 6, partition: iid}", set)
    let sizes = PartitionSizes(partition)
    #expect(sizes.minimum == 1001 && sizes.maximum == 1002 && sizes.sum == 6007)
    // 1,001 of 6,007 without replacement: 100 of a class, deviation 8.7.
    for counts in histograms(partition, set) { for count in counts { #expect(abs(count - 100) < 44) } }
  }

  @Test("shards: two ranges of samples sorted by class, 300 each")
  func shards() throws {
    let set = generatedSet(60_000)
    let partition = try dealt("{clients: 100, partition: {name: shards, samples: 300}}", set)
    #expect(clients(of: partition).allSatisfy { $0.count == 600 })
    for counts in histograms(partition, set) { #expect(counts.allSatisfy { [0, 300, 600].contains($0) }) }
    #expect(histograms(partition, set).contains { $0.filter { $0 > 0 }.count == 2 })
    let some = try dealt("{clients: 10, partition: {name: shards, samples: 7, minimum: 0}}", set)
    #expect(clients(of: some).allSatisfy { $0.count == 14 })
    #expect(Set(clients(of: some).flatMap { $0 }).count == 140)
  }

  @Test("classes: client i holds class i mod K and others, holders share equally", arguments: [1, 2, 3, 9, 10])
  func classes(count: Int) throws {
    let set = generatedSet(10_000)
    let partition = try dealt(
      "{clients: 25, partition: {name: classes, classes-per-client: \(count), minimum: 0}}", set)
    let counts = histograms(partition, set)
    for (client, held) in counts.enumerated() {
      #expect(held.filter { $0 > 0 }.count == count)
      #expect(held[client % 10] > 0)
    }
    for label in 0..<10 {
      let held = counts.map { $0[label] }.filter { $0 > 0 }
      #expect((held.max() ?? 0) - (held.min() ?? 0) <= 1)
      #expect(held.reduce(0, +) == 1000)
    }
  }

  @Test("classes that nobody holds are nobody's")
  func fewClients() throws {
    let set = generatedSet(1000)
    let partition = try dealt("{clients: 3, partition: {name: classes, classes-per-client: 1}}", set)
    #expect(histograms(partition, set).map { $0.firstIndex { $0 > 0 } } == [0, 1, 2])
    #expect(PartitionSizes(partition).sum == 300)
  }

  @Test("natural: a client a group; with fewer clients whole groups, as many to each")
  func natural() throws {
    let set = generatedSet(2400)
    let groups = try #require(set.groups)
    let alone = try dealt("{partition: natural}", set)
    #expect(alone.clients == 24)
    for (client, samples) in clients(of: alone).enumerated() {
      #expect(samples.allSatisfy { groups.numbers[Int($0)] == client })
    }
    let together = try dealt("{clients: 5, partition: natural}", set)
    let held = clients(of: together).map { Set($0.map { groups.numbers[Int($0)] }) }
    #expect(held.map(\.count).sorted() == [4, 5, 5, 5, 5])
    #expect(held.reduce(Set()) { $0.union($1) }.count == 24)
  }

  @Test("natural with small groups: refused, or allowed")
  func smallGroups() throws {
    let groups = SampleGroups(numbers: [0, 0, 0, 1], names: ["a", "b", "c"])
    let set = PartitionedSet(count: 4, groups: groups)
    #expect(
      message { _ = try dealt("{partition: {name: natural, minimum: 1}}", set) }.contains(
        "does not give every client 1 samples (fewest 0, median 1, most 3 samples)"))
    let partition = try dealt("{partition: {name: natural, minimum: 0}}", set)
    #expect(clients(of: partition) == [[0, 1, 2], [3], []])
    #expect(PartitionSizes(partition).empty == 1)
  }

  @Test("resample: any number of clients, each its own draw, nothing stored")
  func resample() throws {
    let set = generatedSet(1000)
    let partition = try dealt("{clients: 1000000, partition: {name: resample, samples: 60}}", set)
    #expect(partition.clients == 1_000_000)
    var buffer: [Int32] = []
    var seen = [Int](repeating: 0, count: 1000)
    for client in stride(from: 0, to: 1_000_000, by: 1000) {
      partition.samples(of: client, into: &buffer)
      #expect(buffer.count == 60)
      for sample in buffer { seen[Int(sample)] += 1 }
    }
    // 60,000 draws over 1,000 samples: 60 each, deviation 7.7.
    #expect(seen.allSatisfy { abs($0 - 60) < 47 })
    partition.samples(of: 999_999, into: &buffer)
    let again = buffer
    partition.samples(of: 3, into: &buffer)
    #expect(buffer != again)
    partition.samples(of: 999_999, into: &buffer)
    #expect(buffer == again)
  }

  @Test("as many clients as samples: one each where sizes are even")
  func singles() throws {
    let set = generatedSet(500)
    let partition = try dealt("{clients: 500, partition: {name: iid, minimum: 1}}", set)
    #expect(clients(of: partition).allSatisfy { $0.count == 1 })
  }

  @Test("labels come from sources, groups through cuts")
  func sources() throws {
    let source = TableSource(
      rows: [0, 1, 2, 3, 4, 5], shape: [1], targets: .classes([0, 1, 0, 1, 2, 2], 3))
    let set = PartitionedSet(SubsetSource(source, [5, 1, 0]))
    #expect(set.labels == [2, 1, 0])
    #expect(set.classes == 3)
    let values = TableSource(rows: [0, 1], shape: [1], targets: .values([0.5, 1], width: 1))
    #expect(PartitionedSet(values).labels == nil)
  }
}

@Suite("Dirichlet shares")
struct DirichletTests {
  /// Mean and variance of one client's share of a class over many seeds: of Dir(α·1_N) they are 1/N and
  /// (1/N)(1 − 1/N)/(αN + 1).
  @Test("have the mean and variance of the distribution", arguments: [0.01, 0.1, 0.5, 1, 5, 100])
  func moments(alpha: Double) throws {
    let clients = 5
    let draws = 3000
    let set = PartitionedSet(
      count: 5000, labels: [Int32](repeating: 0, count: 5000), classes: 1)
    var sum = [Double](repeating: 0, count: clients)
    var squares = 0.0
    var options = Options(
      try Node.parse("{clients: 5, partition: {name: dirichlet, alpha: \(alpha), minimum: 0}}", file: "a.yaml"),
      path: "federated")
    let read = try PartitionOptions(&options)
    for seed in 0..<draws {
      let partition = try read.partition(set, seed: UInt64(seed))
      for client in 0..<clients {
        let share = Double(partition.count(of: client)) / 5000
        sum[client] += share
        squares += (share - 0.2) * (share - 0.2)
      }
    }
    let variance = 0.2 * 0.8 / (alpha * 5 + 1)
    for client in 0..<clients {
      #expect(abs(sum[client] / Double(draws) - 0.2) < 4.5 * (variance / Double(draws)).squareRoot() + 1e-4)
    }
    #expect(abs(squares / Double(draws * clients) / variance - 1) < 0.1)
  }

  @Test("go from one client that takes a whole class to equal shares", arguments: ["1e-300", "5e-324", "1e-9"])
  func extremes(alpha: String) throws {
    let set = generatedSet(10_000)
    let one = try dealt("{clients: 8, partition: {name: dirichlet, alpha: \(alpha), minimum: 0}}", set)
    let counts = histograms(one, set)
    for label in 0..<10 { #expect(counts.map { $0[label] }.sorted().suffix(2) == [0, 1000]) }
    #expect(Set((0..<10).map { label in counts.firstIndex { $0[label] > 0 } }).count > 2)
    let equal = try dealt("{clients: 8, partition: {name: dirichlet, alpha: 1e300}}", set)
    for held in histograms(equal, set) { for count in held { #expect(abs(count - 125) <= 1) } }
  }

  @Test("stay nearer to equal sizes when balanced, and never stop short")
  func balanced() throws {
    let set = generatedSet(10_000)
    for alpha in ["0.1", "1e-300"] {
      func largest(_ more: String) throws -> Int {
        let kind = "{name: dirichlet, alpha: \(alpha), minimum: 0\(more)}"
        let partition = try dealt("{clients: 10, partition: \(kind)}", set)
        #expect(PartitionSizes(partition).sum == 10_000)
        return partition.largest
      }
      #expect(try largest(", balanced: true") < largest(""))
    }
    // One class goes whole to one client, which is full then.
    let whole = try dealt(
      "{clients: 10, partition: {name: dirichlet, alpha: 1e-300, balanced: true, minimum: 1000}}", set)
    #expect(clients(of: whole).allSatisfy { $0.count == 1000 })
  }

  @Test("are independent between classes")
  func independent() throws {
    let set = generatedSet(10_000, classes: 2)
    var together = 0
    for seed in 0..<400 {
      let partition = try dealt(
        "{clients: 4, partition: {name: dirichlet, alpha: 1e-9, minimum: 0}}", set, seed: UInt64(seed))
      if partition.largest == 10_000 { together += 1 }
    }
    // A quarter of the time one client takes both: 100, deviation 8.7.
    #expect(abs(together - 100) < 40)
  }
}
