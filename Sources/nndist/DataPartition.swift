import Configuration
import Datasets
import Reporting
import Training

/// `nndist data partition CONFIG`: what every federated client of a configuration would hold.
struct DataPartition {
  private let options: PartitionOptions
  private let dataset: Dataset
  private let training: PartitionedSet
  private let partition: Partition

  /// Clients that a page shows, and that an object of JSON holds, before it becomes a summary.
  private static let shown = 30
  private static let listed = 1000

  /// Reads the keys `seed`, `data`, `federated.clients` and `federated.partition`, and no others.
  init(_ path: String, _ arguments: Arguments) throws(RunError) {
    do {
      let node = try ConfigurationLoading.overridden(try Node.load(path), arguments)
      var root = Options(try Experiment.withContext(node))
      let seed = UInt64(try root.integer("seed", default: 1, in: 0...Int.max, "seed of everything random"))
      let data = try DataOptions(&root)
      try root.require(
        root.has("federated"), "federated is missing; write federated: {clients: 100, partition: dirichlet}")
      var federated = Options(node["federated"] ?? .empty, path: "federated")
      options = try PartitionOptions(&federated)
      dataset = try data.load(seed: seed)
      training = PartitionedSet(dataset.training)
      partition = try options.partition(training, seed: seed)
    } catch { throw RunError(error) }
  }

  // MARK: - JSON

  var object: JSONObject {
    let sizes = PartitionSizes(partition)
    let clients = histograms(first: DataPartition.listed).enumerated().map { client, histogram -> JSONValue in
      var object: JSONObject = ["client": .integer(client), "samples": .integer(partition.count(of: client))]
      if training.labels != nil { object["labels"] = .list(histogram.map { .integer($0) }) }
      if let name = group(of: client) { object["group"] = .text(name) }
      return .object(object)
    }
    return [
      "verb": "data", "action": "partition", "data": .text(dataset.name), "partition": .text(options.name),
      "clients": .integer(partition.clients), "classes": .integer(training.classes), "samples": .integer(sizes.sum),
      "training_samples": .integer(training.count), "minimum": .integer(sizes.minimum),
      "median": .integer(sizes.median), "maximum": .integer(sizes.maximum), "empty": .integer(sizes.empty),
      "fingerprint": .text(partition.fingerprint()), "listed": .list(clients),
    ]
  }

  // MARK: - Page

  /// A line a client: its size as a number and a bar, its classes as blocks as high as the class is frequent in it.
  var page: String {
    let sizes = PartitionSizes(partition)
    let histograms = histograms(first: DataPartition.shown).map { binned($0) }
    let most = max(1, histograms.joined().max() ?? 1)
    let names = histograms.indices.map { group(of: $0).map(shortened) ?? "" }
    let nameWidth = names.map(\.count).max() ?? 0
    let numberWidth = max(6, "\(partition.clients - 1)".count)
    let sizeWidth = max(7, Numerals.grouped(training.count).count)

    func line(_ client: String, _ name: String, _ size: String, _ bar: String, _ classes: String) -> String {
      var cells = [padded(client, numberWidth, right: true)]
      if nameWidth > 0 { cells.append(padded(name, nameWidth)) }
      cells += [padded(size, sizeWidth, right: true), padded(bar, DataPartition.barWidth), classes]
      var text = cells.joined(separator: "  ")
      while text.hasSuffix(" ") { text.removeLast() }
      return text
    }

    var text =
      Terminal.bold("\(options.name): \(Numerals.grouped(partition.clients)) clients of \(dataset.origin)") + "\n\n"
    text += Terminal.bold(line("client", "", "samples", "", classHeading)) + "\n"
    for (client, histogram) in histograms.enumerated() {
      let size = partition.count(of: client)
      text +=
        line(
          "\(client)", names[client], Numerals.grouped(size), bar(size, of: sizes.maximum),
          blocks(histogram, of: most)) + "\n"
    }
    if partition.clients > histograms.count {
      text += Terminal.dim(padded("…", numberWidth, right: true)) + "\n"
    }
    if let labels = training.labels {
      var all = [Int](repeating: 0, count: training.classes)
      for label in labels { all[Int(label)] += 1 }
      let whole = binned(all)
      text += line("all", "", Numerals.grouped(training.count), "", blocks(whole, of: max(1, whole.max() ?? 1))) + "\n"
    }
    text += "\n" + summary(sizes, most: most)
    return text
  }

  private func summary(_ sizes: PartitionSizes, most: Int) -> String {
    var text =
      "a client has \(Numerals.grouped(sizes.minimum)) to \(Numerals.grouped(sizes.maximum)) samples, median "
      + "\(Numerals.grouped(sizes.median))"
    if sizes.empty > 0 { text += "; \(Numerals.grouped(sizes.empty)) clients have none" }
    if sizes.sum < training.count, !partition.isDrawn {
      text += "; \(Numerals.grouped(training.count - sizes.sum)) samples are nobody's"
    }
    text += "\n"
    if training.labels != nil {
      let column = classesPerColumn == 1 ? "class" : "column of \(classesPerColumn) classes"
      text += Terminal.dim("█ is \(Numerals.grouped(most)) samples of a \(column), · none") + "\n"
    }
    return text
  }

  // MARK: - Counts

  /// Samples of each class, of the first clients; empty lists where samples have no class.
  private func histograms(first count: Int) -> [[Int]] {
    var buffer: [Int32] = []
    return (0..<min(count, partition.clients)).map { client in
      guard let labels = training.labels else { return [] }
      partition.samples(of: client, into: &buffer)
      var counts = [Int](repeating: 0, count: training.classes)
      for sample in buffer { counts[Int(labels[Int(sample)])] += 1 }
      return counts
    }
  }

  /// Whose samples a client has, where clients are the data's own groups.
  private func group(of client: Int) -> String? {
    guard options.name == "natural", let groups = training.groups, groups.names.count == partition.clients else {
      return nil
    }
    return groups.names[client]
  }

  // MARK: - Drawing

  private static let barWidth = 16
  private static let columns = 48

  private var classesPerColumn: Int { max(1, (training.classes + DataPartition.columns - 1) / DataPartition.columns) }

  /// Few classes have a space between them, so that each can have its number.
  private var gap: String { training.classes <= 20 ? " " : "" }

  private var classHeading: String {
    guard training.labels != nil else { return "" }
    if training.classes <= 20 { return (0..<training.classes).map { "\($0 % 10)" }.joined(separator: " ") }
    return "classes 0 to \(training.classes - 1)" + (classesPerColumn > 1 ? ", \(classesPerColumn) a column" : "")
  }

  private func binned(_ counts: [Int]) -> [Int] {
    stride(from: 0, to: counts.count, by: classesPerColumn).map { start in
      counts[start..<min(counts.count, start + classesPerColumn)].reduce(0, +)
    }
  }

  private func blocks(_ counts: [Int], of most: Int) -> String {
    let blocks = Array("▁▂▃▄▅▆▇█")
    return counts.map { count in
      if count == 0 { return Terminal.dim("·") }
      let level = (count * blocks.count + most - 1) / most - 1
      return Terminal.heat(String(blocks[level]), level)
    }.joined(separator: gap)
  }

  /// A bar in eighths of a character; whoever has something has a bar.
  private func bar(_ count: Int, of most: Int) -> String {
    let eighths = most == 0 ? 0 : (count * DataPartition.barWidth * 8 + most - 1) / most
    let part = Array(" ▏▎▍▌▋▊▉")[eighths % 8]
    return String(repeating: "█", count: eighths / 8) + (eighths % 8 == 0 ? "" : String(part))
  }

  private func padded(_ text: String, _ width: Int, right: Bool = false) -> String {
    let space = String(repeating: " ", count: max(0, width - text.count))
    return right ? space + text : text + space
  }

  private func shortened(_ name: String) -> String { name.count > 20 ? name.prefix(19) + "…" : name }
}
