import Foundation
import Reporting
import Training

/// A result for people.
enum ResultText {
  /// The lines that say what a JSON object of a run says.
  static func of(_ json: String) -> String {
    guard let result = try? JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any] else { return json }
    var lines: [(term: String, text: String)] = []
    if let accuracy = result["accuracy"] as? Double {
      lines.append(("accuracy", String(format: "%.4f on the test set", accuracy)))
    }
    for (key, term) in [("personal_accuracy", "personal"), ("client_accuracy", "clients")] {
      if let text = spread(key, of: result) { lines.append((term, text)) }
    }
    if let loss = result["loss"] as? Double { lines.append(("loss", String(format: "%.4f", loss))) }
    lines +=
      result["client"] != nil ? client(result) : result["rounds"] == nil ? training(result) : federation(result)
    if let digest = result["parameters_digest"] as? String { lines.append(("digest", digest)) }
    if let run = result["run"] as? String { lines.append(("run", run)) }
    return lines.map { term, text in term + String(repeating: " ", count: max(1, 11 - term.count)) + text }
      .joined(separator: "\n")
  }

  /// Accuracies of clients: the mean, and what else of them there is.
  private static func spread(_ key: String, of result: [String: Any]) -> String? {
    guard let mean = result[key] as? Double else { return nil }
    var text = String(format: "%.4f on average over clients", mean)
    for (name, value) in result.sorted(by: { $0.key < $1.key }) where name.hasPrefix(key + "_") {
      guard let value = value as? Double else { continue }
      let words = name.dropFirst(key.count + 1).replacingOccurrences(of: "_", with: " ")
      text += String(format: ", %.4f ", value) + words
    }
    return text
  }

  private static func training(_ result: [String: Any]) -> [(term: String, text: String)] {
    var lines: [(term: String, text: String)] = []
    if let steps = result["steps"] as? Int, let seconds = result["seconds"] as? Double,
      let rate = result["samples_per_second"] as? Double
    {
      lines.append(("trained", String(format: "%ld steps in %.1f s, %.0f samples/s", steps, seconds, rate)))
    }
    return lines + sent(result)
  }

  private static func sent(_ result: [String: Any]) -> [(term: String, text: String)] {
    guard let strategy = result["strategy"] as? String, let bytes = result["bytes_sent"] as? [Int], bytes.count > 1,
      let messages = result["messages_sent"] as? [Int]
    else { return [] }
    let wire = (result["wire_bytes"] as? Int ?? 0) / bytes.count
    return [
      (
        "sent",
        "\(Numerals.bytes(bytes.max() ?? 0)) in \(Numerals.grouped(messages.max() ?? 0)) messages a rank (\(strategy)), "
          + (wire > 0 ? "\(Numerals.bytes(wire)) on the wire" : "nothing on a wire")
      )
    ]
  }

  /// A client's own part in a federation.
  private static func client(_ result: [String: Any]) -> [(term: String, text: String)] {
    func count(_ key: String) -> Int { result[key] as? Int ?? 0 }
    return [
      (
        "trained",
        "as client \(count("client")) in \(Numerals.plural(count("visits"), "round", grouped: true)) of "
          + "\(Numerals.grouped(count("rounds"))): \(Numerals.plural(count("steps"), "step", grouped: true)), "
          + "\(Numerals.plural(count("samples"), "sample", grouped: true))"
      ),
      ("updates", "\(Numerals.grouped(count("updates"))) counted" + part(count("dropped"), "did not")),
      ("traffic", "\(Numerals.bytes(count("bytes_up"))) up, \(Numerals.bytes(count("bytes_down"))) down"),
    ]
  }

  private static func federation(_ result: [String: Any]) -> [(term: String, text: String)] {
    func count(_ key: String) -> Int { result[key] as? Int ?? 0 }
    let (updates, rounds) = (count("updates"), count("rounds"))
    let seconds = result["seconds"] as? Double ?? 0
    let rate = result["updates_per_second"] as? Double ?? 0
    var lines = [
      (
        term: "trained",
        text: "\(Numerals.plural(rounds, "round", grouped: true)) of \(result["strategy"] as? String ?? "") over "
          + "\(Numerals.plural(count("clients"), "client", grouped: true)) in " + String(format: "%.1f s", seconds)
      ),
      (
        "updates",
        "\(Numerals.grouped(updates)), \(Numerals.grouped(Int(rate.rounded())))/s"
          + part(count("rejected"), "rejected") + part(count("lost"), "lost")
          + (count("skipped_rounds") > 0 ? "; \(Numerals.plural(count("skipped_rounds"), "round")) skipped" : "")
      ),
      (
        "traffic",
        "\(Numerals.bytes(count("bytes_up"))) up, \(Numerals.bytes(count("bytes_down"))) down"
          + (updates > 0 ? "; \(Numerals.bytes(count("bytes_up") / updates)) up an update" : "")
      ),
    ]
    if let simulated = result["simulated_seconds"] as? Double, simulated > 0 {
      lines.append(("devices", String(format: "%.1f s of simulated time", simulated)))
    }
    if let epsilon = result["epsilon"] as? Double {
      let delta = (result["delta"] as? Double).map { String(format: " at δ = %g", $0) } ?? ""
      lines.append(("privacy", String(format: "ε = %.3f spent", epsilon) + delta))
    }
    return lines + sent(result)
  }

  private static func part(_ count: Int, _ what: String) -> String {
    count > 0 ? ", \(Numerals.grouped(count)) \(what)" : ""
  }
}
