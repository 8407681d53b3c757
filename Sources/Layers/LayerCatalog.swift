import Configuration
import Tensors

/// The layers that a configuration can name, one line each.
public enum LayerCatalog {
  /// All kinds.
  public static let all: [LayerKind] =
    [
      LinearLayer.kind,
      ConvolutionLayer.kind,
      MaxPool.kind,
      AveragePool.kind,
      GlobalAveragePool.kind,
      AdaptiveAveragePool.kind,
      BilinearResize.kind,
      BatchNorm.kind,
      LayerNorm.kind,
      GroupNorm.kind,
      L2Norm.kind,
      Dropout.kind,
      Flatten.kind,
      ImageRows.kind,
      Embedding.kind,
      Attention.kind,
      RecurrentLayer.kind,
      GraphConvolution.kind,
      SAGE.kind,
      GraphAttention.kind,
      Residual.kind,
      Parallel.kind,
      TimeEmbedding.kind,
    ] + Activation.allCases.map(\.kind)

  /// Reads one entry of a list of layers: `relu`, `{linear: 10}`, `{convolution: {channels: 32, kernel: 3}}`.
  static func read(
    _ node: Node, _ position: Int, path: String, _ input: Signal, _ scope: inout ParameterScope
  ) throws(ConfigurationError) -> (layer: any Layer, resolved: Node) {
    let path = "\(path).\(position)"
    let (name, value) = try entry(node, path)
    guard let kind = all.first(where: { $0.name == name }) else {
      let meant = nearest(name, among: all.map(\.name)).map { "; did you mean `\($0)`?" }
      throw ConfigurationError(
        "\(path) is `\(name)`, which is no layer"
          + (meant ?? "; layers are \(all.map(\.name).joined(separator: ", "))"),
        at: node.place)
    }
    var options = Options(try optionsNode(kind, value, path), path: "\(path).\(name)")
    let layer: any Layer
    do throws(ConfigurationError) {
      layer = try kind.make(&options, input, &scope)
      try options.finish()
    } catch {
      // Which of the layers it was: a line may hold several.  An inner layer has said its own, longer path.
      let message = error.message.contains(path) ? error.message : "\(path): \(error.message)"
      throw ConfigurationError(message, at: error.place ?? node.place)
    }
    let resolved = options.resolved
    let isBare = resolved.entries?.isEmpty ?? true
    return (layer, isBare ? Node.text(name) : Node.map([name: resolved]))
  }

  private static func entry(_ node: Node, _ path: String) throws(ConfigurationError) -> (String, Node) {
    if let text = node.text { return (text, Node(.null, at: node.place)) }
    if let entries = node.entries, entries.count == 1 { return (entries[0].key, entries[0].value) }
    throw ConfigurationError(
      "\(path) is no layer; expected a name such as `relu`, or a name with options such as {linear: 10}", at: node.place
    )
  }

  private static func optionsNode(_ kind: LayerKind, _ value: Node, _ path: String) throws(ConfigurationError) -> Node {
    switch value.content {
    case .null: return Node(.map([]), at: value.place)
    case .map: return value
    default:
      guard let key = kind.shorthand else {
        throw ConfigurationError("\(path).\(kind.name) takes no value", at: value.place)
      }
      return Node(.map([Node.Entry(key: key, value: value)]), at: value.place)
    }
  }
}
