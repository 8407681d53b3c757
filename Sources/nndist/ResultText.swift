import Foundation
import Training

/// A result for people.
enum ResultText {
  static func of(_ result: JSONObject) -> String {
    func text(_ key: String) -> String? {
      switch result[key] {
      case .text(let text): text
      case .integer(let number): String(number)
      case .number(let number): String(format: "%.4f", number)
      default: nil
      }
    }
    var lines: [String] = []
    if let accuracy = text("accuracy"), result["accuracy"] != .null { lines.append("accuracy   \(accuracy) on the test set") }
    if let loss = text("loss") { lines.append("loss       \(loss)") }
    if let steps = text("steps"), let seconds = text("seconds"), case .number(let rate)? = result["samples_per_second"] {
      lines.append(String(format: "trained    %@ steps in %@ s, %.0f samples/s", steps, seconds, rate))
    }
    if let digest = text("parameters_digest") { lines.append("digest     \(digest)") }
    if let run = text("run") { lines.append("run        \(run)") }
    return lines.joined(separator: "\n")
  }
}
