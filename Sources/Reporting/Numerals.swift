import Foundation

/// Numbers as people read them.
public enum Numerals {
  /// `1 rank`, `4 ranks`; `1,000 clients` where digits are grouped.
  public static func plural(_ count: Int, _ noun: String, grouped isGrouped: Bool = false) -> String {
    "\(isGrouped ? grouped(count) : "\(count)") \(noun)\(count == 1 ? "" : "s")"
  }

  /// `1,234,567`.
  public static func grouped(_ number: Int) -> String {
    var text = ""
    for (index, digit) in String(number).reversed().enumerated() {
      if index > 0, index % 3 == 0, digit != "-" { text.append(",") }
      text.append(digit)
    }
    return String(text.reversed())
  }

  /// `1.5 GiB`, `37 MiB`, `512 bytes`.
  public static func bytes(_ count: Int) -> String {
    scaled(Double(count), by: 1024, ["bytes", "KiB", "MiB", "GiB", "TiB"])
  }

  /// `41 M`, `1.2 G`: a count in powers of a thousand.
  public static func scaled(_ count: Int) -> String { scaled(Double(count), by: 1000, ["", "k", "M", "G", "T"]) }

  private static func scaled(_ count: Double, by factor: Double, _ units: [String]) -> String {
    var value = count
    var unit = 0
    // What would round to the factor itself belongs to the next unit.
    while value >= factor - 0.5, unit < units.count - 1 {
      value /= factor
      unit += 1
    }
    let number = unit > 0 && value < 9.95 ? String(format: "%.1f", value) : String(format: "%.0f", value)
    return units[unit].isEmpty ? number : "\(number) \(units[unit])"
  }
}
