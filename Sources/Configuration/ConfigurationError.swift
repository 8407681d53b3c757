/// What is wrong with a configuration, and where: one line for the user.
public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What was found, what is expected and what to do, without the place.
  public let message: String
  /// Where the fault stands; nil when it concerns no single place.
  public let place: Place?

  /// An error with its place.  Control characters are escaped, so that the message stays one line.
  public init(_ message: String, at place: Place? = nil) {
    self.message = message.onOneLine
    self.place = place
  }

  /// ``configs/a.yaml:12: unknown key `bathc` in training; did you mean `batch`?``
  public var description: String {
    guard let place, !place.file.isEmpty else { return message }
    return "\(place.description.onOneLine): \(message)"
  }
}

extension String {
  /// The text with control characters escaped: users' keys and values stand in messages of one line.
  var onOneLine: String {
    if unicodeScalars.allSatisfy({ !$0.breaksLines }) { return self }
    var result = ""
    for scalar in unicodeScalars {
      if scalar.breaksLines {
        result += scalar.escaped
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// The first characters of a text that may be long.
  func shortened(to limit: Int = 40) -> String {
    let scalars = unicodeScalars
    guard scalars.count > limit else { return self }
    return String(scalars.prefix(limit)) + "…"
  }
}

extension Unicode.Scalar {
  /// Control characters, and Unicode's own line and paragraph separators.
  var breaksLines: Bool {
    value < 0x20 || (0x7F...0x9F).contains(value) || value == 0x2028 || value == 0x2029
  }
}
