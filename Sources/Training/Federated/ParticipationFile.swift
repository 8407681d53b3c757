import Configuration
import Federated
import Foundation

/// Reads who took part in the rounds of a run from its `clients.jsonl`.
enum ParticipationFile {
  /// The rounds of a file, for so many clients.  Throws what is wrong with which line.
  static func read(_ path: String, clients: Int) throws(RunError) -> Participation {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw RunError(.data, "federated.participation names \(path), which cannot be read")
    }
    var rounds: [Int: Participation.Round] = [:]
    for (index, line) in data.split(separator: UInt8(ascii: "\n")).enumerated() {
      guard case .object(let object)? = JSONValue(parsing: String(decoding: line, as: UTF8.self)),
        case .integer(let round)? = object["round"], round >= 1, let round = self.round(object, clients: clients)
      else {
        throw RunError(
          .data,
          "\(path), line \(index + 1): no round of clients.jsonl with clients below \(clients); take a whole file")
      }
      guard case .integer(let number)? = object["round"] else { continue }
      rounds[number - 1] = round
    }
    return Participation(rounds)
  }

  private static func round(_ object: JSONObject, clients count: Int) -> Participation.Round? {
    guard case .list(let clients)? = object["clients"], case .list(let statuses)? = object["status"],
      case .list(let samples)? = object["samples"], clients.count == statuses.count, clients.count == samples.count
    else { return nil }
    var versions: [Int]?
    if case .list(let list)? = object["versions"] {
      versions = list.compactMap { if case .integer(let version) = $0, version >= 0 { version } else { nil } }
      guard versions?.count == clients.count else { return nil }
    }
    var (numbers, counted, held): ([Int32], [Bool], [Int]) = ([], [], [])
    for ((client, status), own) in zip(zip(clients, statuses), samples) {
      guard case .integer(let client) = client, client >= 0, client < count, numbers.last.map({ $0 < client }) ?? true,
        case .text(let word) = status, let status = ClientRecord.Status(rawValue: word),
        case .integer(let own) = own, own >= 0
      else { return nil }
      numbers.append(Int32(client))
      counted.append(status == .accepted)
      held.append(own)
    }
    return Participation.Round(clients: numbers, counted: counted, samples: held, versions: versions)
  }
}
