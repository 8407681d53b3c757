import Foundation

/// A way to run a training that must not change a bit of it.
struct Way: Sendable, Hashable, CustomStringConvertible {
  /// How ranks exchange.
  enum Transport: String, Sendable, CaseIterable {
    /// Ranks are threads of one process.
    case threads
    /// Ranks are processes that share memory.
    case window
    /// Ranks are processes that send messages over TCP.
    case tcp
  }

  let transport: Transport
  let ranks: Int
  /// Threads of a rank.
  let threads: Int

  /// `tcp-3x2`: three ranks of two threads.  Also the name of a folder.
  var description: String { "\(transport.rawValue)-\(ranks)x\(threads)" }

  /// One to eight ranks by every transport, with one thread each and with two.
  static let all = Transport.allCases.flatMap { transport in
    ((transport == .threads ? 1 : 2)...8).flatMap { ranks in
      [1, 2].map { Way(transport: transport, ranks: ranks, threads: $0) }
    }
  }

  /// Three ways, others for every number: on threads; as processes, on shared memory or TCP by turns; and on as many
  /// simulated ranks as those.  Fourteen numbers in a row have two to eight ranks on every transport, threads of both counts.
  static func some(_ number: Int) -> [Way] {
    let ranks = 2 + number / 2 % 7
    return [
      Way(transport: .threads, ranks: 2 + (number * 3 + 1) % 7, threads: 2),
      Way(transport: number % 2 == 0 ? .window : .tcp, ranks: ranks, threads: 1 + number / 2 % 2),
      Way(transport: .threads, ranks: ranks, threads: 1),
    ]
  }

  /// Whether every training is to be run in every way.
  static let isFull = ProcessInfo.processInfo.environment["NNDIST_FULL_TESTS"] != nil

  /// Runs a training this way.
  func train(_ tool: CommandLineTool, _ words: [String]) throws -> CommandResult {
    let words = words + ["--json", "--set", "compute.threads=\(threads)"]
    switch transport {
    case .threads: return try tool.run(["simulate"] + words + ["--ranks", "\(ranks)"])
    case .window: return try tool.mpirun(ranks: ranks, ["train"] + words, environment: ["NNDIST_TRANSPORT": "window"])
    case .tcp:
      return try tool.mpirun(
        ranks: ranks, ["train"] + words,
        environment: ["NNDIST_TRANSPORT": "messages", "OMPI_MCA_pml": "ob1", "OMPI_MCA_btl": "tcp,self"])
    }
  }
}
