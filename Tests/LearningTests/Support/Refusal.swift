import Configuration
import Layers
import Learning
import Tensors

/// Why a rule does not train a model.
enum Refusal {
  /// The message of the configuration error, nil where there is none.  `rule` holds the rule's options as a map.
  static func of<Rule: LearningRule>(
    _ type: Rule.Type, _ rule: String, _ model: String, _ input: Signal, _ objective: Objective?
  ) -> String? {
    do {
      var options = Options(try Node.parse("model: {layers: \(model)}", file: "test.yaml"))
      let built = try ModelConfiguration(&options).build(input: input, classes: 10).model
      var own = Options(try Node.parse(rule.isEmpty ? "{}" : rule, file: "test.yaml"), path: "learning")
      let made = try Rule(options: &own)
      try own.finish()
      _ = try made.prepare(built, objective ?? Objective(.crossEntropy, target: []))
      return nil
    } catch {
      return "\(error)"
    }
  }
}
