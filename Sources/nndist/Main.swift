import CProcessor
import Configuration
import Glibc
import Synchronization
import Training

/// `nndist VERB …`: finds the verb, runs it, turns errors into one line and an exit code.
@main
struct Main {
  static func main() {
    // Before anything that the compiler may have turned into vector instructions.
    if let missing = nndist_missing_instructions() { refuse(missing) }
    // A reader that went away (`| head`) is an error of a write, not a signal that kills.
    signal(SIGPIPE, SIG_IGN)
    openStandardStreams()
    var code = run(Array(CommandLine.arguments.dropFirst()))
    if code == .done, let reason = Output.failure {
      let error = RunError(.refused, "cannot write to standard output: \(reason)")
      Output.error(error)
      code = error.code
    }
    exit(code.rawValue)
  }

  /// Puts /dev/null where a standard stream was closed: the first file to be opened would take its place, and hold what was
  /// meant for the terminal.
  private static func openStandardStreams() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
      _ = open("/dev/null", O_RDWR)
    }
  }

  /// Ends a program that was compiled for another CPU: one line in place of an illegal instruction.
  @inline(never)
  private static func refuse(_ missing: UnsafePointer<CChar>) -> Never {
    for part in [
      "nndist: error: this CPU lacks ", String(cString: missing),
      ", which this program was compiled for; build it on this machine, or with NNDIST_MARCH=x86-64-v3\n",
    ] { part.withCString { _ = write(STDERR_FILENO, $0, strlen($0)) } }
    exit(ExitCode.internalError.rawValue)
  }

  @inline(never)
  private static func run(_ words: [String]) -> ExitCode {
    do throws(RunError) {
      guard let word = words.first, !["--help", "-h"].contains(word) else {
        Output.line(HelpText.overview)
        return words.isEmpty ? .usage : .done
      }
      if word == "--version" || word == "-V" {
        Output.line(Version.text)
        return .done
      }
      guard let verb = Verbs.all.first(where: { $0.name == word }) else {
        let meant = nearest(word, among: Verbs.all.map { $0.name }).map { "did you mean `\($0)`?" }
        throw RunError(.usage, "`\(word)` is no verb; \(meant ?? "see nndist --help")")
      }
      if words.dropFirst().prefix(while: { $0 != "--" }).contains(where: { ["--help", "-h"].contains($0) }) {
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
  private static let failedWrite = Atomic<Int32>(0)

  /// Why standard output could not be written; nil where all was, and where the reader just went away (`| head`).
  static var failure: String? {
    let code = failedWrite.load(ordering: .relaxed)
    return code == 0 || code == EPIPE ? nil : String(cString: strerror(code))
  }

  /// A line on standard output.
  static func line(_ text: String) {
    put(text + "\n", to: STDOUT_FILENO)
  }

  /// A text on standard output that ends its lines itself.
  static func text(_ text: String) { put(text, to: STDOUT_FILENO) }

  /// A term of a result and what it says, in a column of its own.
  static func result(_ term: String, _ text: String) {
    let indent = 11
    let lines = Layout.wrapped(text, indent: indent)
    line(term + lines.dropFirst(min(term.count, indent)))
  }

  /// One line on standard error.
  static func error(_ error: RunError, rank: Int? = nil) {
    let who = rank.map { "[rank \($0)] " } ?? ""
    put("nndist: \(who)error: \(error.message)\n", to: STDERR_FILENO)
  }

  /// A text on standard error that ends its lines itself.
  static func errorText(_ text: String) { put(text, to: STDERR_FILENO) }

  /// A line on standard error that the next one replaces; for terminals.
  static func progress(_ text: String) { put("\r\u{1B}[K" + text, to: STDERR_FILENO) }

  /// A line on standard error that is no error.
  static func note(_ text: String) { put("nndist: \(text)\n", to: STDERR_FILENO) }

  /// Writes all of a text in as few calls as possible, so that lines of several ranks do not mix.
  private static func put(_ text: String, to descriptor: Int32) { pass(Array(text.utf8)[...], to: descriptor) }

  /// Writes bytes as they are: what another program said.
  static func pass(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) {
    var rest = bytes
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if written < 0, errno != EINTR {
        if descriptor == STDOUT_FILENO { failedWrite.store(errno, ordering: .relaxed) }
        return
      }
      rest = rest.dropFirst(max(0, written))
    }
  }
}

/// Seconds of a clock that never jumps.
enum Clock {
  static var seconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
