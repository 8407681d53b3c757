/// The verbs, one line each.
enum Verbs {
  static let all: [any Verb.Type] = [
    Train.self,
    Simulate.self,
    Server.self,
    Client.self,
    Launch.self,
    Evaluate.self,
    Predict.self,
    Inspect.self,
    Verify.self,
    Check.self,
    Bench.self,
    DataVerb.self,
    Keys.self,
    Doctor.self,
    Help.self,
  ]
}
