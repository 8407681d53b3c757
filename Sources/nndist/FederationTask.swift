import Configuration
import Training

/// What a server tells its clients of its configuration, and what a client makes of it.
enum FederationTask {
  /// What is of the machine that a configuration lies on: a server does not tell it, and a client takes no server's word for it,
  /// files to read above all.
  private static let local = [
    "data.path", "data.test-path", "model.weights", "federated.devices", "federated.participation", "checkpoint", "client",
    "faults",
  ]

  /// The configuration as clients get it.
  static func text(of prepared: PreparedFederation) throws(RunError) -> String {
    var node = prepared.resolved
    do {
      for key in local + ["compute.threads"] where has(key, node) {
        node = try node.setting(key, to: "null", source: "the server")
      }
    } catch { throw RunError(error) }
    return node.yaml()
  }

  /// The federation of a client, from what the server has told and what is its own: where its data lie, and its threads.
  static func prepare(
    _ text: String, own: Node, limits: ClientLimits, client: Int, data path: String?
  ) throws(RunError) -> PreparedFederation {
    do {
      var node = try Node.parse(text, file: "the server's task")
      for key in local where has(key, node) {
        node = try node.setting(key, to: "null", source: "this client")
      }
      if let path = path.map({ Node.text($0).yaml() }) ?? own["data"]?["path"].flatMap({ $0.isNull ? nil : $0.yaml() }) {
        node = try node.setting("data.path", to: path, source: "this client")
      }
      if path == nil, let test = own["data"]?["test-path"], !test.isNull {
        node = try node.setting("data.test-path", to: test.yaml(), source: "this client")
      }
      if let threads = own["compute"]?["threads"], !threads.isNull {
        node = try node.setting("compute.threads", to: threads.yaml(), source: "this client")
      }
      let prepared = try PreparedFederation(try FederatedExperiment(node), owner: path == nil ? nil : client)
      try limits.check(prepared)
      return prepared
    } catch { throw RunError(error) }
  }

  private static func has(_ path: String, _ node: Node) -> Bool {
    var node: Node? = node
    for key in path.split(separator: ".") { node = node?[String(key)] }
    return node.map { !$0.isNull } ?? false
  }
}
