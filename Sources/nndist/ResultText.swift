import Foundation
import Reporting
import Training

/// A result for people.
enum ResultText {
  /// The lines that say what a JSON object of a run says.
  static func of(_ json: String) -> String {
    guard let result = try? JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any] else { return json }
    var lines: [String] = []
    if let accuracy = result["accuracy"] as? Double {
      lines.append(String(format: "accuracy   %.4f on the test set", accuracy))
    }
    if let loss = result["loss"] as? Double { lines.append(String(format: "loss       %.4f", loss)) }
    if let steps = result["steps"] as? Int, let seconds = result["seconds"] as? Double,
      let rate = result["samples_per_second"] as? Double
    {
      lines.append(String(format: "trained    %ld steps in %.1f s, %.0f samples/s", steps, seconds, rate))
    }
    if let strategy = result["strategy"] as? String, let bytes = result["bytes_sent"] as? [Int], bytes.count > 1,
      let messages = result["messages_sent"] as? [Int]
    {
      let wire = (result["wire_bytes"] as? Int ?? 0) / bytes.count
      lines.append(
        "sent       \(Numerals.bytes(bytes.max() ?? 0)) in \(Numerals.grouped(messages.max() ?? 0)) messages a rank "
          + "(\(strategy)), " + (wire > 0 ? "\(Numerals.bytes(wire)) on the wire" : "nothing on a wire"))
    }
    if let digest = result["parameters_digest"] as? String { lines.append("digest     \(digest)") }
    if let run = result["run"] as? String { lines.append("run        \(run)") }
    return lines.joined(separator: "\n")
  }
}
