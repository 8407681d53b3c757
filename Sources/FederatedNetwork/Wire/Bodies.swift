import Federated
import Foundation

/// A client's first word, and its word after every connection.
struct Hello: Codable, Hashable, Sendable {
  /// Who it is; where keys say so, it must say the same.
  var client: Int
  /// What it runs.
  var program: String
}

/// The server's answer to an admitted client.
struct Welcome: Codable, Hashable, Sendable {
  /// Which federation it is, in hexadecimal: the digest of its task.
  var federation: String
  /// Bytes of the task, to be fetched.
  var taskBytes: Int
  /// The last round in which the client's update was counted and kept; nil before.
  var counted: Int?
}

/// A client that has the task and can be asked.
struct Ready: Codable, Hashable, Sendable {
  /// Samples it has.
  var samples: Int
  /// The round whose download it holds; nil for none.
  var held: Int?
  /// The round that it trains for, or whose upload it has; nil for none.
  var working: Int?
  /// Which process it is: another one has no secrets of a masked round that has begun.
  var process: UInt64

  /// Whether any client could say so.
  var isPossible: Bool { samples >= 0 && (held ?? 0).isRound && (working ?? 0).isRound }
}

extension Int {
  /// Whether it is the number of a round, or of a version.
  var isRound: Bool { RoundNumbers.range.contains(self) }
}

/// What a client is to do, and what it is to fetch first.
struct OrderBody: Codable, Hashable, Sendable {
  var order: VisitOrder
  /// What the download is; nil where the client holds it.
  var download: DownloadKind?
  var downloadBytes: Int
  /// Clients of a masked round; nil where uploads are not masked.
  var maskedAmong: Int?
}

/// What a client has to say of its visit, before its upload.
struct Offer: Codable, Hashable, Sendable {
  var report: VisitReport
  /// The round whose download it holds; nil for none, as with an upload that a process before this one has made.
  var held: Int?
}

/// What became of an upload, or of a connection: a word and a line for people.
struct Verdict: Codable, Hashable, Sendable {
  /// What became of an upload.
  enum Outcome: String, Codable, Sendable {
    /// It counts, and is kept.
    case counted
    /// It was not finite, too large, or not what was ordered.
    case rejected
    /// It came too late, or the round had enough.
    case late
    /// The round had too few.
    case abandoned
  }

  var outcome: Outcome
  var reason: String
}

/// Why the server does not go on with a client, and with what code the client is to end.
struct Refusal: Codable, Hashable, Sendable {
  /// Why.
  enum Cause: String, Codable, Sendable {
    /// Its key is another client's, or it is no client of the federation.
    case unauthorised
    /// Its program, samples or task do not fit.
    case unsuitable
    /// Another process speaks for the client.
    case replaced
  }

  var cause: Cause
  var reason: String
}

/// The end of a federation.
struct Finished: Codable, Hashable, Sendable {
  var rounds: Int
  var digest: String
}

/// Bodies are JSON.
enum Body {
  /// The longest that is read, in bytes.
  static let longest = 64 << 10

  static func frame(_ value: some Encodable) -> Frame {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    guard let data = try? encoder.encode(value) else { preconditionFailure("a body that is no JSON") }
    return data.withUnsafeBytes { Frame($0) }
  }

  static func read<Value: Decodable>(_ type: Value.Type, _ frame: Frame?) -> Value? {
    guard let bytes = frame?.bytes, bytes.count <= longest else { return nil }
    return try? JSONDecoder().decode(type, from: Data(bytes))
  }
}
