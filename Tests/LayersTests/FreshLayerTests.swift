import Configuration
import Layers
import Tensors
import Testing

@Suite("Layers made again for another input")
struct FreshLayerTests {
  /// What is declared when the layers of a model are made again.
  static func again(_ model: Model, for input: Signal, stride: Int? = nil) throws -> (Sequential, ParameterLayout) {
    var scope = ParameterScope()
    let made = try model.fresh(model.layers.indices, for: input, stride: stride, in: &scope)
    return (made, scope.layout)
  }

  @Test("are the same for the same input", arguments: LayerListTests.cases)
  func same(_ example: LayerListTests.Case) throws {
    if example.yaml.contains("embedding") { return }
    let (model, _) = try LayersTests.build("model: \(example.yaml)", for: example.input)
    let (made, layout) = try Self.again(model, for: example.input)
    #expect(made.output == model.output)
    #expect(layout.parameters == model.layout.parameters)
    #expect(layout.states == model.layout.states)
  }

  @Test("take a stride once, in place of pooling")
  func stride() throws {
    let yaml =
      "[{max-pool: 2}, {convolution: {channels: 4, padding: 1}}, batch-norm, relu, {convolution: {channels: 5, padding: 1}}]"
    let (model, _) = try LayersTests.build("model: \(yaml)", for: Sample.cifar)
    #expect(try Self.again(model, for: Signal([9, 9, 7]), stride: 1).0.output == Signal([9, 9, 5]))
    #expect(try Self.again(model, for: Signal([9, 9, 7]), stride: 2).0.output == Signal([5, 5, 5]))
    #expect(try Self.again(model, for: Signal([9, 9, 7])).0.output == Signal([4, 4, 5]))
  }

  @Test(
    "name the layer that does not fit, and why",
    arguments: [
      ("[{embedding: 5}, relu]", Sample.text, Sample.series, ["`0`", "embedding"]),
      ("[flatten, {linear: 4}]", Sample.cifar, Sample.text, ["`0`", "flatten", "tokens"]),
      ("[relu, {group-norm: 3}]", Sample.cifar, Signal([4, 4, 5]), ["`1`", "3 groups", "5 channels"]),
      ("[{residual: [{linear: 20}, relu]}]", Sample.table, Signal([9]), ["`0`", "residual", "20", "9"]),
      ("[{recurrent: 3}]", Sample.series, Sample.table, ["`0`", "recurrent", "20"]),
      ("[{max-pool: 5}]", Sample.digits, Signal([3, 3, 1]), ["`0`", "max-pool", "3×3"]),
    ])
  func refused(_ yaml: String, _ input: Signal, _ other: Signal, _ words: [String]) throws {
    let (model, _) = try LayersTests.build("model: \(yaml)", for: input)
    let error = #expect(throws: ConfigurationError.self) { try Self.again(model, for: other) }
    for word in words { #expect(error?.message.contains(word) == true, "\(error?.message ?? "")") }
  }

  @Test("follow those they were made of, where they are told to")
  func following() throws {
    let (model, _) = try LayersTests.build("model: [{linear: 3}, batch-norm, relu]", for: Sample.table)
    var scope = ParameterScope(after: model.layout)
    let all = model.layers.indices
    _ = try scope.following(model.layout.parameters, momentum: 0.25) {
      (scope: inout ParameterScope) throws(ConfigurationError) in
      try scope.nested("slow") { (scope: inout ParameterScope) throws(ConfigurationError) in
        try model.fresh(all, for: Sample.table, in: &scope)
      }
    }
    #expect(scope.layout.parameters == model.layout.parameters)
    let states = scope.layout.states.filter { $0.name.hasPrefix("slow.") }
    #expect(
      states.map(\.name) == [
        "slow.0.weight", "slow.0.bias", "slow.1.weight", "slow.1.bias", "slow.1.running_mean", "slow.1.running_var",
      ])
    let store = ParameterStore(scope.layout)
    scope.layout.initialise(store, seed: 5)
    let parameter = model.layout.parameters[0]
    let before = states[0].range.map { store.states.base[$0] }
    store.followParameters()
    for (place, (old, scalar)) in zip(states[0].range, zip(before, parameter.range)) {
      let expected = 0.75 * old + 0.25 * store.parameters.base[scalar]
      #expect(abs(store.states.base[place] - expected) < 1e-6)
    }
  }
}
