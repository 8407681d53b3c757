import Foundation

/// What the bits of a run depend on beside its configuration and data.
public struct ProgramIdentity: Decodable, Sendable, Hashable {
  /// nndist's version.
  public var version: String
  /// SHA-256 of the executable.
  public var binary: String
  /// The instructions that it was compiled for.
  public var instructions: String
  /// The CPU's model.
  public var cpu: String
  /// The instructions that the CPU has.
  public var cpuInstructions: String
  /// oneDNN's version.
  public var oneDNN: String
  /// The instructions that oneDNN uses.
  public var oneDNNInstructions: String
  /// OpenBLAS' version and kernels; nil where it is not used.
  public var openBLAS: String?
  /// MPI's version; nil where it is not used.
  public var mpi: String?

  /// All of it.
  public init(
    version: String, binary: String, instructions: String, cpu: String, cpuInstructions: String, oneDNN: String,
    oneDNNInstructions: String, openBLAS: String?, mpi: String?
  ) {
    self.version = version
    self.binary = binary
    self.instructions = instructions
    self.cpu = cpu
    self.cpuInstructions = cpuInstructions
    self.oneDNN = oneDNN
    self.oneDNNInstructions = oneDNNInstructions
    self.openBLAS = openBLAS
    self.mpi = mpi
  }

  private enum CodingKeys: String, CodingKey {
    case version, binary, instructions, cpu, mpi
    case cpuInstructions = "cpu_instructions"
    case oneDNN = "onednn"
    case oneDNNInstructions = "onednn_instructions"
    case openBLAS = "openblas"
  }

  fileprivate var object: JSONObject {
    [
      "version": .text(version), "binary": .text(binary), "instructions": .text(instructions), "cpu": .text(cpu),
      "cpu_instructions": .text(cpuInstructions), "onednn": .text(oneDNN),
      "onednn_instructions": .text(oneDNNInstructions), "openblas": openBLAS.map { .text($0) } ?? nil,
      "mpi": mpi.map { .text($0) } ?? nil,
    ]
  }
}

/// What a start of a run consisted of: a line of `receipt.jsonl`, written by rank 0 before the first step.
public struct Receipt: Decodable, Sendable, Hashable {
  /// The moment, in UTC.
  public var time: String
  /// Which start of the run it is, from 1, or what the launcher says.
  public var attempt: Int
  /// The verb.
  public var verb: String
  /// Ranks.
  public var ranks: Int
  /// Threads of a rank.
  public var threads: Int
  /// Logical shards; nil for a federation.
  public var shards: Int?
  /// Clients of a federation.
  public var clients: Int?
  /// Names of the hosts, in the order of ranks.
  public var hosts: [String]
  /// How ranks are connected.
  public var transport: String
  /// Steps, or rounds of a federation, made before.
  public var firstStep: Int
  /// SHA-256 of the resolved configuration: of `config.yaml`.
  public var configuration: String
  /// SHA-256 of the data as they are read.
  public var data: String
  /// The program and its machine; rank 0's.
  public var program: ProgramIdentity

  /// A start that happens now; `attempt` is nil where no launcher counts.
  public init(
    attempt: Int? = nil, verb: String, ranks: Int, threads: Int, shards: Int?, clients: Int? = nil, hosts: [String],
    transport: String, firstStep: Int, configuration: String, data: String, program: ProgramIdentity
  ) {
    time = Moment.now.text
    self.attempt = attempt ?? 0
    self.verb = verb
    self.ranks = ranks
    self.threads = threads
    self.shards = shards
    self.clients = clients
    self.hosts = hosts
    self.transport = transport
    self.firstStep = firstStep
    self.configuration = configuration
    self.data = data
    self.program = program
  }

  /// The name of the file in a run directory.
  public static let fileName = "receipt.jsonl"

  private enum CodingKeys: String, CodingKey {
    case time, attempt, verb, ranks, threads, shards, clients, hosts, transport, configuration, data
    case firstStep = "first_step"
  }

  /// Reads a line, in which the program's keys stand beside the others.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    time = try keys.decode(String.self, forKey: .time)
    attempt = try keys.decode(Int.self, forKey: .attempt)
    verb = try keys.decode(String.self, forKey: .verb)
    ranks = try keys.decode(Int.self, forKey: .ranks)
    threads = try keys.decode(Int.self, forKey: .threads)
    shards = try keys.decodeIfPresent(Int.self, forKey: .shards)
    clients = try keys.decodeIfPresent(Int.self, forKey: .clients)
    hosts = try keys.decode([String].self, forKey: .hosts)
    transport = try keys.decode(String.self, forKey: .transport)
    firstStep = try keys.decode(Int.self, forKey: .firstStep)
    configuration = try keys.decode(String.self, forKey: .configuration)
    data = try keys.decode(String.self, forKey: .data)
    program = try ProgramIdentity(from: decoder)
  }

  /// The line as an object.
  public var object: JSONObject {
    var object: JSONObject = [
      "time": .text(time), "attempt": .integer(attempt), "verb": .text(verb), "ranks": .integer(ranks),
      "threads": .integer(threads),
    ]
    object["shards"] = shards.map { .integer($0) }
    object["clients"] = clients.map { .integer($0) }
    let others: JSONObject = [
      "hosts": .list(hosts.map { .text($0) }), "transport": .text(transport), "first_step": .integer(firstStep),
      "configuration": .text(configuration), "data": .text(data),
    ]
    object.merge(others)
    object.merge(program.object)
    return object
  }

  /// The receipts of a run, in order; lines that are none are left out.
  public static func all(of run: String) -> [Receipt] {
    lines(of: run).compactMap { try? JSONDecoder().decode(Receipt.self, from: Data($0.utf8)) }
  }

  /// Whole lines: the last may have been cut off.
  fileprivate static func lines(of run: String) -> [Substring] {
    let text = Files.text(of: "\(run)/\(fileName)") ?? ""
    return text[..<(text.lastIndex(of: "\n") ?? text.startIndex)].split(separator: "\n")
  }

  /// Those that made a step after `first`, up to `last`, of those that stand: a later start makes steps again that an
  /// earlier one had not saved.
  static func covering(_ first: Int, _ last: Int, of receipts: [Receipt]) -> [Receipt] {
    var end = Int.max
    var found: [Receipt] = []
    for receipt in receipts.reversed() where receipt.firstStep < end {
      if receipt.firstStep < last, end > first { found.append(receipt) }
      end = receipt.firstStep
    }
    return found.reversed()
  }

  /// The receipts of a run as a table.
  static func table(_ receipts: [Receipt]) -> String {
    func short(_ digest: String) -> String { String(digest.prefix(12)) }
    var table = TextTable(
      ["start", "time", "from step", "ranks × threads", "hosts", "configuration", "data", "binary", "instructions"],
      leading: [1, 4, 5, 6, 7, 8])
    for receipt in receipts {
      table.add([
        "\(receipt.attempt)", receipt.time, "\(receipt.firstStep)", "\(receipt.ranks) × \(receipt.threads)",
        receipt.hosts.joined(separator: ", "), short(receipt.configuration), short(receipt.data),
        short(receipt.program.binary), receipt.program.instructions,
      ])
    }
    return table.text
  }
}

extension RunDirectory {
  /// Appends the receipt of a start; the lines that are there stay.
  public func append(_ receipt: Receipt) throws(RunError) {
    let lines = Receipt.lines(of: path)
    var receipt = receipt
    if receipt.attempt == 0 { receipt.attempt = lines.count + 1 }
    try write((lines + [receipt.object.text[...]]).map { $0 + "\n" }.joined(), to: Receipt.fileName)
  }
}
