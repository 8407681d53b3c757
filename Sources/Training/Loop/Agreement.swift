import Communication
import Datasets

/// What ranks make sure of before they train together.
public enum Agreement {
  /// Gives every rank's bytes to every rank; they may differ in length.
  public static func exchange(_ bytes: [UInt8], _ communicator: any Communicator) throws(CommunicationError)
    -> [[UInt8]]
  {
    var count = [Int64(bytes.count)]
    var counts = [Int64](repeating: 0, count: communicator.size)
    try gather(&count, &counts, [Int](repeating: 1, count: communicator.size), communicator)
    let lengths = counts.map(Int.init)
    var mine = bytes
    var all = [UInt8](repeating: 0, count: lengths.reduce(0, +))
    try gather(&mine, &all, lengths, communicator)
    var start = 0
    return lengths.map { length in
      defer { start += length }
      return Array(all[start..<start + length])
    }
  }

  private static func gather<T: Communicable>(
    _ input: inout [T], _ output: inout [T], _ counts: [Int], _ communicator: any Communicator
  ) throws(CommunicationError) {
    var failure: CommunicationError?
    input.withUnsafeBufferPointer { input in
      output.withUnsafeMutableBufferPointer { output in
        do throws(CommunicationError) {
          try communicator.allGather(input, into: output, counts: counts)
        } catch { failure = error }
      }
    }
    if let failure { throw failure }
  }

  /// Throws on every rank unless all ranks bring the same text; names the ranks that differ from rank 0.
  public static func require(_ what: String, _ text: String, _ remedy: String, _ communicator: any Communicator)
    throws(RunError)
  {
    let all: [[UInt8]]
    do throws(CommunicationError) {
      all = try exchange(Array(text.utf8), communicator)
    } catch { throw RunError(error) }
    let others = all.indices.filter { all[$0] != all[0] }
    guard others.isEmpty else {
      let names = others.map(String.init).joined(separator: ", ")
      throw RunError(
        .desynchronised,
        "\(others.count == 1 ? "rank" : "ranks") \(names) of \(communicator.size) \(others.count == 1 ? "has" : "have") "
          + "\(what) than rank 0; \(remedy)")
    }
  }

  /// Lets a step that may fail on some ranks fail on all, with the first failing rank's reason.
  public static func together<Result>(
    _ communicator: any Communicator, _ body: () throws(RunError) -> Result
  ) throws(RunError) -> Result {
    var outcome: Swift.Result<Result, RunError>
    do throws(RunError) { outcome = .success(try body()) } catch { outcome = .failure(error) }
    if communicator.size == 1 { return try outcome.get() }
    var message: [UInt8] = []
    if case .failure(let error) = outcome { message = [UInt8(error.code.rawValue)] + Array(error.message.utf8) }
    let all: [[UInt8]]
    do throws(CommunicationError) { all = try exchange(message, communicator) } catch { throw RunError(error) }
    if let rank = all.firstIndex(where: { !$0.isEmpty }) {
      let code = ExitCode(rawValue: Int32(all[rank][0])) ?? .internalError
      let reason = String(decoding: all[rank].dropFirst(), as: UTF8.self)
      let everywhere = all.allSatisfy { $0 == all[rank] }
      throw RunError(code, everywhere ? reason : "rank \(rank): \(reason)")
    }
    return try outcome.get()
  }
}
