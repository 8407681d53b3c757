import Foundation
import Testing

/// How a process ended and what it said.
struct CommandResult {
  /// What was run, for messages.
  let command: String
  /// Its exit code; 128 and the signal's number where a signal ended it.
  let status: Int32
  /// Standard output.
  let output: String
  /// Standard error.
  let errors: String

  /// Lines of standard output.
  var outputLines: [String] { CommandResult.lines(output) }

  /// Lines of standard error.
  var errorLines: [String] { CommandResult.lines(errors) }

  /// The object on the last line of standard output; empty when there is none.
  var json: [String: Any] {
    guard let line = outputLines.last else { return [:] }
    return (try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]) ?? [:]
  }

  private static func lines(_ text: String) -> [String] {
    text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
  }

  /// Expects exit code 0.
  func expectSuccess(sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(status == 0, "\(command): exit \(status): \(errors)", sourceLocation: sourceLocation)
  }

  /// Expects an exit code, nothing on standard output, and one error line on standard error, the only line that starts
  /// with `nndist: `, which holds every one of `words`.
  func expectFailure(_ code: Int32, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(status == code, "\(command): exit \(status): \(errors)", sourceLocation: sourceLocation)
    #expect(output == "", "\(command) wrote to standard output", sourceLocation: sourceLocation)
    let said = errorLines.filter { $0.hasPrefix("nndist: ") }
    #expect(said.count == 1, "\(command): \(errors)", sourceLocation: sourceLocation)
    let line = said.first ?? ""
    #expect(line.contains("error: "), "\(command): \(errors)", sourceLocation: sourceLocation)
    for word in words {
      #expect(line.contains(word), "\(command): no `\(word)` in: \(line)", sourceLocation: sourceLocation)
    }
    // What a trap, a stack trace or a library would say.
    for trace in ["Fatal error", "Stack dump", "Thread 0", "*** "] {
      #expect(!errors.contains(trace), "\(command): \(errors)", sourceLocation: sourceLocation)
    }
  }
}
