import Foundation

/// Prometheus's text exposition format 0.0.4, strictly: what is not in its grammar is thrown.
struct MetricsParser {
  struct Failure: Error, CustomStringConvertible { let description: String }

  /// Values by name and labels, as `name{a="b"}` without escapes.
  private(set) var samples: [String: Double] = [:]
  private(set) var types: [String: String] = [:]

  init(_ text: String) throws {
    guard text.hasSuffix("\n") else { throw Failure(description: "the last line does not end") }
    var helps: Set<String> = []
    var family = ""
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
      let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
      if line.hasPrefix("#") {
        guard words.count == 4, ["HELP", "TYPE"].contains(words[1]), try MetricsParser.isName(words[2]) else {
          throw Failure(description: "no comment: \(line)")
        }
        if words[1] == "HELP" {
          guard helps.insert(words[2]).inserted else { throw Failure(description: "helped twice: \(line)") }
        } else {
          guard helps.contains(words[2]), types[words[2]] == nil, ["gauge", "counter"].contains(words[3]) else {
            throw Failure(description: "typed twice, or not at all: \(line)")
          }
          types[words[2]] = words[3]
          family = words[2]
        }
        continue
      }
      try take(Substring(line), of: family)
    }
  }

  private mutating func take(_ line: Substring, of family: String) throws {
    var rest = line
    let name = rest.prefix { $0 != "{" && $0 != " " }
    guard name == family else { throw Failure(description: "not of the family \(family): \(line)") }
    if types[family] == "counter", !name.hasSuffix("_total") { throw Failure(description: "a counter's name: \(line)") }
    rest = rest.dropFirst(name.count)
    var labels: [String] = []
    if rest.first == "{" {
      rest.removeFirst()
      while rest.first != "}" {
        let label = rest.prefix { $0 != "=" }
        guard try MetricsParser.isName(String(label)), rest.dropFirst(label.count).hasPrefix("=\"") else {
          throw Failure(description: "no label: \(rest)")
        }
        rest = rest.dropFirst(label.count + 2)
        labels.append("\(label)=\"\(try MetricsParser.string(&rest))\"")
        if rest.first == "," { rest.removeFirst() } else if rest.first != "}" { throw Failure(description: "\(rest)") }
      }
      rest.removeFirst()
    }
    guard rest.first == " ", let value = Double(rest.dropFirst()) else {
      throw Failure(description: "no value: \(line)")
    }
    let key = name + (labels.isEmpty ? "" : "{\(labels.joined(separator: ","))}")
    guard samples.updateValue(value, forKey: String(key)) == nil else { throw Failure(description: "twice: \(line)") }
  }

  private static func isName(_ text: String) throws -> Bool {
    text.wholeMatch(of: try Regex("[a-zA-Z_:][a-zA-Z0-9_:]*")) != nil
  }

  /// What stands before the next quote.
  private static func string(_ rest: inout Substring) throws -> String {
    var text = ""
    while let next = rest.popFirst() {
      if next == "\"" { return text }
      if next != "\\" {
        text.append(next)
        continue
      }
      switch rest.popFirst() {
      case "n": text += "\n"
      case "\\": text += "\\"
      case "\"": text += "\""
      default: throw Failure(description: "no escape")
      }
    }
    throw Failure(description: "a label without an end")
  }
}
