import Foundation

/// Columns of text for a terminal: the first of each row to the left, numbers to the right.
public struct TextTable: Sendable {
  private var rows: [[String]]
  private let leading: Set<Int>

  /// A table with a heading; `leading` columns are aligned to the left.
  public init(_ heading: [String], leading: Set<Int> = [0]) {
    rows = [heading]
    self.leading = leading
  }

  /// Adds a row of as many cells as the heading has.  Control characters are escaped.
  public mutating func add(_ cells: [String]) {
    precondition(cells.count == rows[0].count, "\(cells.count) cells in a table of \(rows[0].count)")
    rows.append(cells.map(\.onOneLine))
  }

  /// One line a row, without spaces at its end.
  public var text: String {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        let space = String(repeating: " ", count: widths[column] - cell.count)
        line += (column == 0 ? "" : "  ") + (leading.contains(column) ? cell + space : space + cell)
      }
      while line.hasSuffix(" ") { line.removeLast() }
      return line + "\n"
    }.joined()
  }

  /// A number with five digits, or `-`.
  public static func number(_ value: Double?) -> String { value.map { String(format: "%.5g", $0) } ?? "-" }
}
