import Glibc

/// Which start of a run this is.
package enum Attempt {
  /// What a supervisor that starts a run again sets, counting from 1.
  static let variable = "NNDIST_ATTEMPT"
  /// A line for each start, in the directory of the run.
  static let receipts = "receipt.jsonl"

  /// The number of the present start, from 1: the environment's, or one more than the starts that the directory of the run
  /// tells of.  To be asked before this start is written there.  Errors: `configuration` for a variable that is no such number.
  package static func number(run: String?) throws(RunError) -> Int {
    if let text = getenv(variable).map({ String(cString: $0) }), !text.isEmpty {
      guard let number = Int(text), number > 0 else {
        throw RunError(.configuration, "\(variable) is `\(text)`; it takes a whole number of at least 1")
      }
      return number
    }
    guard let run, let text = Files.text(of: "\(run)/\(receipts)") else { return 1 }
    return 1 + text.utf8.split(separator: UInt8(ascii: "\n")).count
  }
}
