/// The texts of `--help`.
enum HelpText {
  static var overview: String {
    """
    nndist trains neural networks on many CPU ranks.

    \(Terminal.bold("Verbs"))
    \(Layout.glossary(Verbs.all.map { ($0.usage, $0.summary) }, width: width(Verbs.all.map { $0.usage })))

    \(Terminal.bold("Topics")) of nndist help
    \(Layout.glossary(HelpTopic.all.map { ($0.name, $0.summary) }))

    \(Terminal.bold("Start here"))
      nndist train configs/digits-mlp.yaml                      one process, a few seconds
      launch/mpirun -n 2 nndist train configs/digits-mlp.yaml   two MPI ranks: the same bits
      nndist simulate configs/digits-mlp.yaml --ranks 4         four ranks as threads: the same bits
      nndist launch -n 4 -- train configs/digits-mlp.yaml       four MPI ranks, brought back when lost

    nndist VERB --help shows a verb's flags, nndist help config every key of a configuration.
    """
  }

  static func of(_ verb: any Verb.Type) -> String {
    let flags = verb.flags.map { (title($0), $0.help) } + [("--help", "this page")]
    var parts = [Terminal.bold("nndist \(verb.usage)") + "\n" + Layout.wrapped(sentence(verb.summary))]
    if !verb.details.isEmpty { parts.append(Layout.wrapped(verb.details)) }
    parts.append(Terminal.bold("Flags") + "\n" + Layout.glossary(flags))
    return parts.joined(separator: "\n\n")
  }

  private static func width(_ terms: [String]) -> Int { terms.map(\.count).max() ?? 0 }

  private static func sentence(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() + "." }

  private static func title(_ flag: Flag) -> String {
    (flag.short.map { $0 + ", " } ?? "") + flag.name + (flag.value.map { " " + $0 } ?? "")
  }
}
