import Configuration
import Tensors

/// Inputs that a reader is tried with until it asks for all its keys: which one fits is the layer's own affair.
private let samples = [
  Signal([64, 64, 16]), Signal([16, 64]), Signal([64]), Signal(tokens: [16], vocabulary: 64),
  Signal([4, 64], graph: Graph(nodes: 4, edges: [])),
]

extension LayerKind {
  /// The keys of its options, as ``Options/document(choosing:path:_:)`` finds them.
  public func document() -> [KeyDescription] {
    longest { input in
      Options.document(path: name) { (options) throws(ConfigurationError) in
        var scope = ParameterScope()
        _ = try make(&options, input, &scope)
      }
    }
  }
}

extension ModelKind {
  /// The keys of its options.
  public func document() -> [KeyDescription] {
    longest { input in
      Options.document(path: name) { (options) throws(ConfigurationError) in
        var scope = ParameterScope()
        _ = try make(&options, input, 10, &scope)
      }
    }
  }
}

private func longest(_ document: (Signal) -> [KeyDescription]) -> [KeyDescription] {
  samples.map(document).max { $0.count < $1.count } ?? []
}

extension Layer {
  /// It is linear, or a part of what ends with something else.
  public var endsBlock: Bool { false }

  /// There is none.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    throw ConfigurationError("\(kind) is no layer that another of its architecture can be made of")
  }

  /// What it is called in tables: the name of its kind, `batch-norm`, or of its type in that style.
  public var kind: String { Self.hyphenated("\(type(of: self))") }

  private static func hyphenated(_ type: String) -> String {
    var name = type.hasSuffix("Layer") ? String(type.dropLast(5)) : type
    if name.isEmpty { name = type }
    var result = ""
    for character in name {
      if character.isUppercase, !result.isEmpty { result.append("-") }
      result += character.lowercased()
    }
    return result
  }
}
