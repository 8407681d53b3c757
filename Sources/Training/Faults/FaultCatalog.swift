import Configuration

/// The kinds of faults that a configuration can demand, one line each.
public enum FaultCatalog {
  /// All kinds.
  public static let all: [any Fault.Type] = [
    Kill.self,
    Hang.self,
    Delay.self,
    Corrupt.self,
    NotANumber.self,
    FailWrite.self,
    FillDisk.self,
  ]

  /// The keys of a kind, each with its name before it.
  public static func document(_ kind: any Fault.Type) -> [KeyDescription] {
    Options.document(path: kind.name) { (options) throws(ConfigurationError) in _ = try kind.init(&options) }
  }

  private static let form = "a list such as [{kill: {rank: 1, step: 5}}]"

  /// Reads the key `faults:`, which may be absent.
  static func read(_ options: inout Options) throws(ConfigurationError) -> [DemandedFault] {
    guard let node = options.node("faults", "what is to go wrong, for tests: nndist help faults"), !node.isNull else {
      return []
    }
    guard let items = node.items else {
      throw ConfigurationError("faults is no list; expected \(form)", at: node.place)
    }
    var faults: [DemandedFault] = []
    var resolved: [Node] = []
    for (position, item) in items.enumerated() {
      let (fault, node) = try read(item, path: "faults.\(position)")
      faults.append(fault)
      resolved.append(node)
    }
    options.resolve("faults", as: .list(resolved))
    return faults
  }

  /// Reads one entry: `{kill: {rank: 1, step: 5}}`.
  private static func read(
    _ node: Node, path: String
  ) throws(ConfigurationError) -> (fault: DemandedFault, resolved: Node) {
    guard let entry = node.entries?.first, node.entries?.count == 1 else {
      throw ConfigurationError(
        "\(path) is no fault; expected a kind with its keys, such as {kill: {rank: 1, step: 5}}", at: node.place)
    }
    guard let kind = all.first(where: { $0.name == entry.key }) else {
      let names = all.map { $0.name }
      let meant = nearest(entry.key, among: names).map { "did you mean `\($0)`?" }
      throw ConfigurationError(
        "\(path) is `\(entry.key)`, which is no fault; \(meant ?? "faults are \(names.joined(separator: ", "))")",
        at: entry.place)
    }
    let path = "\(path).\(kind.name)"
    var options = Options(entry.value.isNull ? Node(.map([]), at: entry.place) : entry.value, path: path)
    let fault = try kind.init(&options)
    try options.finish()
    return (
      DemandedFault(fault: fault, path: path, place: entry.place), Node.map([(kind.name, options.resolved)])
    )
  }
}
