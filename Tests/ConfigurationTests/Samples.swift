import Configuration

/// Documents that the suites share.
enum Samples {
  static let training = """
    # an experiment
    name: fashion-resnet
    seed: 1
    model: resnet20   # or a map
    data: {name: fashion-mnist, validation: 0.1}
    training: {epochs: 5, batch: 128, shards: 8}
    optimizer: {name: sgd, learning-rate: 0.1, momentum: 0.9, weight-decay: 5e-4, schedule: cosine, warmup: 1}
    checkpoint: {every: 1 epoch, keep: 3}

    """
  static let layers = """
    model:
      layers:
        - convolution: {channels: 32, kernel: 3, padding: 1}
        - relu
        - {max-pool: 2}
        - flatten
        - {dropout: 0.1}
        - linear: 10
      residual:
        -
          - a
          - b: 1
            c: "two"
        - []
        - {}
    federated: {strategy: fedavg, clients: 100, partition: {name: dirichlet, alpha: 0.5}}

    """
  static let texts = """
    plain: some words here
    number: "12"
    truth: 'true'
    nothing: "null"
    void: ~
    empty: ""
    missing:
    colon: "a: b # c"
    dashes: "---"
    dots: "..."
    escapes: "tab\\t newline\\n quote\\" bell\\a null\\0 nel\\N"
    unicode: Zürich – 東京 🚀
    literal: |
      two
        lines
    folded: >-
      one
      line
    url: tcp://127.0.0.1:5000
    ? long
    : value
    [flow, key]
    """
  static let all = [training, layers, String(texts.dropLast("[flow, key]".count))]
}

/// The error that a piece of work throws.
func thrown(_ work: () throws(ConfigurationError) -> Void) -> String {
  do throws(ConfigurationError) {
    try work()
    return "nothing thrown"
  } catch {
    return error.description
  }
}

/// The options of a YAML text in the file a.yaml.
func options(_ yaml: String) throws -> Options {
  Options(try Node.parse(yaml, file: "a.yaml"))
}
