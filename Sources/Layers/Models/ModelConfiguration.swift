import Configuration
import Tensors

/// The `model:` of a configuration: a name, a name with options, or a list of layers.
///
/// It is read before data are there and built afterwards, because layers take their shapes from the samples.
public struct ModelConfiguration: Sendable {
  /// The name, or `layers`.
  public let name: String
  /// A safetensors file or checkpoint to start from.
  public let weights: String?
  /// Tokens of a sample, where the model says so.
  public let context: Int?
  private let node: Node
  private let path: String

  /// Reads the key; its own options are checked by `build`.
  public init(_ options: inout Options, key: String = "model") throws(ConfigurationError) {
    let help = "a model's name, {name: …, options}, or {layers: […]}"
    let names = ModelCatalog.all.map(\.name)
    path = options.keyPath.isEmpty ? key : "\(options.keyPath).\(key)"
    guard let node = options.node(key, help) ?? (options.isDocumenting ? Node.text(names[0]) : nil) else {
      throw options.error("\(path) is missing; models are \(names.joined(separator: ", ")), or {layers: […]}")
    }
    let map: Node
    if let text = node.text {
      map = Node(.map([Node.Entry(key: "name", value: node)]), at: node.place)
      name = text
    } else if node.items != nil {
      map = Node(.map([Node.Entry(key: "layers", value: node)]), at: node.place)
      name = "layers"
    } else if node["layers"] != nil {
      map = node
      name = "layers"
    } else if let text = node["name"]?.text {
      map = node
      name = text
    } else {
      throw ConfigurationError("\(path) is no model; expected \(help)", at: node.place)
    }
    guard name == "layers" || names.contains(name) else {
      let meant = nearest(name, among: names).map { "did you mean `\($0)`?" }
      throw ConfigurationError(
        "\(path) is `\(name)`, which is no model; \(meant ?? "models are \(names.joined(separator: ", "))")",
        at: node["name"]?.place ?? node.place)
    }
    var reading = Options(map, path: path)
    weights = try reading.optionalText("weights", "a safetensors file or checkpoint to start from")
    context = try reading.optionalInteger("context", in: 1...1 << 20, unit: "tokens", "tokens of a sample")
    self.node = map
  }

  /// Builds the model for samples of `input` and `classes` classes.  Errors name the layer that does not fit.
  public func build(input: Signal, classes: Int) throws(ConfigurationError) -> (model: Model, resolved: Node) {
    var scope = ParameterScope()
    var options = Options(node, path: path)
    _ = try options.optionalText("weights", "a safetensors file or checkpoint to start from")
    let sequential: Sequential
    if name == "layers" {
      let items = options.node("layers", "the layers, first to last")?.items ?? []
      guard !items.isEmpty else { throw options.error("\(path).layers is empty; expected a list of layers") }
      let read = try Sequential.read(items, path: "\(path).layers", input: input, scope: &scope)
      options.resolve("layers", as: .list(read.resolved))
      sequential = read.layers
    } else {
      _ = try options.text("name", "the model's name")
      guard let kind = ModelCatalog.all.first(where: { $0.name == name }) else {
        preconditionFailure("\(name) was checked")
      }
      do throws(ConfigurationError) {
        sequential = try kind.make(&options, input, classes, &scope)
      } catch {
        throw error.place == nil ? ConfigurationError("model \(name): \(error.message)", at: node.place) : error
      }
    }
    try options.finish()
    return (Model(name, sequential, input: input, scope.layout), options.resolved)
  }
}
