import Configuration

/// A client's own configuration: the file of the federation itself, or one that only has what is the client's own: `name`,
/// `data.path`, `compute.threads` and `client`.
public enum ClientConfiguration {
  /// Its name and limits.
  public static func read(_ node: Node) throws(ConfigurationError) -> (name: String, limits: ClientLimits) {
    if FederatedExperiment.isOne(node) {
      let experiment = try FederatedExperiment(node)
      return (experiment.name, experiment.client)
    }
    var options = Options(node)
    let name = try options.text("name", default: "run", "name of the experiment, which run directories carry")
    _ = try options.section("data", "where the client's data lie") {
      (options) throws(ConfigurationError) in
      try options.optionalText("path", "file or folder of the data set that the server names")
    }
    _ = try options.section("compute", "with what the client computes") {
      (options) throws(ConfigurationError) in
      try options.integer("threads", default: 1, in: 1...1_024, unit: "threads", "threads of the client")
    }
    let limits = try options.section("client", "what a client does for a server elsewhere, at most") {
      (options) throws(ConfigurationError) in try ClientLimits(&options)
    }
    try options.finish()
    return (name, limits)
  }
}
