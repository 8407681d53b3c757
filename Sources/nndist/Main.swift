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
    put(text + "\n", to: STDOUT_FILENO)
  }

  /// One line on standard error.
  static func error(_ error: RunError, rank: Int? = nil) {
    let who = rank.map { "[rank \($0)] " } ?? ""
    put("nndist: \(who)error: \(error.message)\n", to: STDERR_FILENO)
  }

  /// A line on standard error that is no error.
  static func note(_ text: String) { put("nndist: \(text)\n", to: STDERR_FILENO) }

  /// Writes all of a text in as few calls as possible, so that lines of several ranks do not mix.
  private static func put(_ text: String, to descriptor: Int32) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if written < 0, errno != EINTR { return }
      rest = rest.dropFirst(max(0, written))
    }
  }
}
