import Configuration
import Training

/// What a server tells its clients of its configuration, and what a client makes of it.
enum FederationTask {
  /// Keys that name files or are the business of one machine, and what stands in their place: of `model.weights` a client must
  /// know that there are some, and gets them with its first download.
  private static let removed = [
    ("data.path", "null"), ("data.test-path", "null"), ("model.weights", "elsewhere"), ("federated.devices", "null"),
    ("federated.participation", "null"), ("checkpoint", "null"), ("client", "null"), ("faults", "null"),
    ("compute.threads", "null"),
  ]

  /// The configuration as clients get it.
  static func text(of prepared: PreparedFederation) throws(RunError) -> String {
    do { return try without(prepared.resolved, source: "the server").yaml() } catch { throw RunError(error) }
  }

  /// The federation of a client, from what the server has told and what is its own: where its data lie, and its threads.
  static func prepare(
    _ text: String, own: Node, limits: ClientLimits, client: Int, data path: String?
  ) throws(RunError) -> PreparedFederation {
    do {
      // Whatever a server says, a client opens no file but its own.
      var node = try without(try Node.parse(text, file: "the server's task"), source: "this client")
      if let path = path.map({ Node.text($0).yaml() }) ?? own["data"]?["path"].flatMap({ $0.isNull ? nil : $0.yaml() })
      {
        node = try node.setting("data.path", to: path, source: "this client")
      }
      if path == nil, let test = own["data"]?["test-path"], !test.isNull {
        node = try node.setting("data.test-path", to: test.yaml(), source: "this client")
      }
      if let threads = own["compute"]?["threads"], !threads.isNull {
        node = try node.setting("compute.threads", to: threads.yaml(), source: "this client")
      }
      let prepared = try PreparedFederation(try FederatedExperiment(node), owner: path == nil ? nil : client)
        .served(fixedNoise: true)
      try limits.check(prepared)
      return prepared
    } catch { throw RunError(error) }
  }

  private static func without(_ node: Node, source: String) throws(ConfigurationError) -> Node {
    var node = node
    for (key, value) in removed where has(key, node) { node = try node.setting(key, to: value, source: source) }
    return node
  }

  private static func has(_ path: String, _ node: Node) -> Bool {
    var node: Node? = node
    for key in path.split(separator: ".") { node = node?[String(key)] }
    return node.map { !$0.isNull } ?? false
  }
}
