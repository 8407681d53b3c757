import Configuration
import Glibc
import Training

/// `nndist VERB …`: finds the verb, runs it, turns errors into one line and an exit code.
@main
struct Main {
  static func main() {
    // A reader that went away (`| head`) is an error of a write, not a signal that kills.
    signal(SIGPIPE, SIG_IGN)
    exit(run(Array(CommandLine.arguments.dropFirst())).rawValue)
  }

  private static func run(_ words: [String]) -> ExitCode {
    do throws(RunError) {
      guard let word = words.first, !["--help", "-h"].contains(word) else {
        Output.line(HelpText.overview)
        return words.isEmpty ? .usage : .done
      }
      guard let verb = Verbs.all.first(where: { $0.name == word }) else {
        let meant = nearest(word, among: Verbs.all.map { $0.name }).map { "did you mean `\($0)`?" }
        throw RunError(.usage, "`\(word)` is no verb; \(meant ?? "see nndist --help")")
      }
      if words.dropFirst().contains(where: { ["--help", "-h"].contains($0) }) {
        Output.line(HelpText.of(verb))
        return .done
      }
      return try verb.run(Arguments(Array(words.dropFirst()), verb: verb))
    } catch {
      Output.error(error)
      return error.code
    }
  }
}

/// What a person or another program reads.
enum Output {
  /// A line on standard output.
  static func line(_ text: String) {
    fputs(text + "\n", stdout)
    fflush(stdout)
  }

  /// One line on standard error.
  static func error(_ error: RunError, rank: Int? = nil) {
    let who = rank.map { "[rank \($0)] " } ?? ""
    fputs("nndist: \(who)error: \(error.message)\n", stderr)
  }

  /// A line on standard error that is no error.
  static func note(_ text: String) { fputs("nndist: \(text)\n", stderr) }
}
