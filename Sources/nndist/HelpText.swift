/// The texts of `--help`.
enum HelpText {
  static var overview: String {
    let width = Verbs.all.map { $0.usage.count }.max() ?? 0
    let verbs = Verbs.all.map { verb in
      "  nndist " + verb.usage + String(repeating: " ", count: width - verb.usage.count + 3) + verb.summary
    }
    return """
      nndist trains neural networks on many CPU ranks.

      \(verbs.joined(separator: "\n"))

      One configuration gives the same bits with every verb:
        nndist train configs/digits-mlp.yaml                   one process
        launch/mpirun -n 2 nndist train configs/digits-mlp.yaml   MPI ranks
        nndist simulate configs/digits-mlp.yaml --ranks 2      ranks as threads

      nndist VERB --help shows a verb's flags; nndist help config every key of a configuration.
      """
  }

  static func of(_ verb: any Verb.Type) -> String {
    let width = verb.flags.map { title($0).count }.max() ?? 0
    let flags = verb.flags.map { flag in
      "  " + title(flag) + String(repeating: " ", count: width - title(flag).count + 3) + flag.help
    }
    return
      (["nndist \(verb.usage)", "", verb.summary]
      + (verb.details.isEmpty ? [] : ["", verb.details]) + (flags.isEmpty ? [] : [""] + flags)).joined(separator: "\n")
  }

  private static func title(_ flag: Flag) -> String { flag.name + (flag.value.map { " " + $0 } ?? "") }
}
