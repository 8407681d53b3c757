import CLaunching
import Glibc
import Training

/// Passes on what a job writes to one of its streams, and looks at its lines.
class OutputRelay {
  /// The end to read from; -1 once the job has closed its own.
  private(set) var reading: Int32
  /// The end that the job writes to.
  private(set) var writing: Int32
  private var line: [UInt8] = []

  /// Makes the pipe.
  init() throws(RunError) {
    var ends: [Int32] = [-1, -1]
    guard nndist_pipe(&ends) == 0 else {
      throw RunError(.internalError, "cannot make a pipe: \(String(cString: strerror(errno)))")
    }
    (reading, writing) = (ends[0], ends[1])
  }

  deinit { for end in [reading, writing] where end >= 0 { close(end) } }

  /// The job has its end: the end of file will come with the job's.
  func started() {
    close(writing)
    writing = -1
  }

  /// Passes on all that has come so far.
  func pump() {
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while reading >= 0 {
      let count = read(reading, &piece, piece.count)
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN { return }
      if count <= 0 {
        close(reading)
        reading = -1
        return
      }
      received(piece[..<count])
      for byte in piece[..<count] {
        line.append(byte)
        guard byte == 0x0A else { continue }
        ended(line: line)
        line = []
      }
    }
  }

  /// What is left of the last line, once the job has ended.
  func finish() {
    pump()
    if !line.isEmpty { ended(line: line) }
    line = []
  }

  /// Bytes came.
  func received(_ bytes: ArraySlice<UInt8>) {}

  /// A line came, with its line end.
  func ended(line: [UInt8]) {}
}

/// Standard error: passed on at once; the first error that a rank reports is kept.
final class ErrorRelay: OutputRelay {
  /// What the first rank to fail said, such as `rank 1: …`.
  private(set) var firstError: String?

  override func received(_ bytes: ArraySlice<UInt8>) { Output.pass(bytes, to: STDERR_FILENO) }

  override func ended(line: [UInt8]) {
    guard firstError == nil else { return }
    let text = String(decoding: line.dropLast(), as: UTF8.self)
    let parts = text.split(separator: "error: ", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return }
    if parts[0] == "nndist: " {
      firstError = String(parts[1])
    } else if parts[0].hasPrefix("nndist: [rank "), parts[0].hasSuffix("] ") {
      firstError = "\(parts[0].dropFirst("nndist: [".count).dropLast(2)): \(parts[1])"
    }
  }
}

/// Standard output: a line is passed on when the next one comes, so that the last one can still be changed.
final class ResultRelay: OutputRelay {
  private var last: [UInt8] = []

  override func ended(line: [UInt8]) {
    Output.pass(last[...], to: STDOUT_FILENO)
    last = line
  }

  /// Writes the last line; where it is a JSON object, with another key.
  func writeLast(adding key: String, _ value: JSONValue) {
    let text = String(decoding: last, as: UTF8.self)
    if text.hasPrefix("{"), text.hasSuffix("}\n") {
      let pair: JSONObject = [key: value]
      Output.line("\(text.dropLast(2)), \(pair.text.dropFirst())")
    } else {
      Output.text(text)
    }
    last = []
  }
}
