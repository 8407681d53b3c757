import Tensors

/// How the columns of a CSV file become inputs and targets.
package struct CSVTable: Sendable {
  /// The column to predict: its name, its number from 0, or a negative number from the end.
  package var label = "-1"
  /// Whether the label is a number to regress on, not a class.
  package var regression = false
  /// Columns to leave out, by name or number.
  package var ignored: [String] = []
  /// Whether rows with a missing value are left out; otherwise such a row is an error.
  package var dropsMissing = false

  package init() {}

  /// What a file became before it is scaled.
  package struct Contents {
    /// Names of the inputs: `age`, or `colour=red` for a category.
    package let inputs: [String]
    /// `[rows, inputs]`
    package var numbers: [Float]
    /// The label of each row as it was written.
    package let labels: [String]
  }

  /// A column as it was found: numbers, or categories in sorted order.
  package enum Column: Equatable {
    case numeric
    case categorical([String])
  }

  /// How fields that stand for nothing are written.
  static let missing: Set<String> = ["", "?", "NA", "N/A", "na", "n/a", "nan", "NaN", "NAN", "null", "NULL"]

  /// Finds a column by name or number.
  func column(_ name: String, of file: CSVFile) throws(DataError) -> Int {
    if let index = file.header?.firstIndex(of: name) { return index }
    if let number = Int(name), number >= -file.width, number < file.width {
      return number < 0 ? number + file.width : number
    }
    let known = file.header.map { $0.prefix(20).joined(separator: ", ") } ?? "0 to \(file.width - 1)"
    throw DataError(.unsuitable, "\(file.path) has no column `\(name)`; its columns are \(known)")
  }

  /// Reads the columns of a file; a column is numeric when every value is a number, else each of its values becomes an
  /// input of 0 or 1.  `known` columns come from the training file, so that a test file is read the same way.
  package func contents(_ file: CSVFile, known: [Column]? = nil) throws(DataError) -> (Contents, [Column]) {
    let target = try column(label, of: file)
    var skipped: Set<Int> = [target]
    for name in ignored { skipped.insert(try column(name, of: file)) }
    let used = (0..<file.width).filter { !skipped.contains($0) }
    guard !used.isEmpty else { throw DataError(.unsuitable, "\(file.path) has no column beside the label") }

    var rows: [CSVFile.Row] = []
    for row in file.rows {
      if let column = (used + [target]).first(where: { CSVTable.missing.contains(row.fields[$0]) }) {
        if dropsMissing { continue }
        let name = file.header?[column] ?? "\(column)"
        throw DataError.malformed(
          "\(file.path):\(row.line)",
          "column \(name) has no value (`\(row.fields[column])`); mend the row or set `missing: drop`")
      }
      rows.append(row)
    }
    guard !rows.isEmpty else { throw DataError(.unsuitable, "\(file.path) has no row without missing values") }

    var columns: [Column] = []
    var inputs: [String] = []
    for (position, index) in used.enumerated() {
      let name = file.header?[index] ?? "\(index)"
      let column: Column
      if let known, position < known.count {
        column = known[position]
      } else if rows.allSatisfy({ Float($0.fields[index]) != nil }) {
        // Infinities and what Float32 cannot hold are numbers too: refused below, rather than taken for categories.
        column = .numeric
      } else {
        let values = Set(rows.map { $0.fields[index] }).sorted()
        guard values.count <= 1000 else {
          throw DataError(
            .unsuitable,
            "\(file.path): column \(name) has \(values.count) different texts; leave it out with `ignore: [\(name)]`")
        }
        column = .categorical(values)
      }
      columns.append(column)
      switch column {
      case .numeric: inputs.append(name)
      case .categorical(let values): inputs += values.map { "\(name)=\($0)" }
      }
    }

    var numbers: [Float] = []
    numbers.reserveCapacity(rows.count * inputs.count)
    for row in rows {
      for (position, index) in used.enumerated() {
        let field = row.fields[index]
        switch columns[position] {
        case .numeric:
          guard let number = Float(field), number.isFinite else {
            let name = file.header?[index] ?? "\(index)"
            throw DataError.malformed("\(file.path):\(row.line)", "column \(name): `\(field)` is not a finite number")
          }
          numbers.append(number)
        case .categorical(let values):
          // A text that training never saw sets none of the inputs.
          for value in values { numbers.append(value == field ? 1 : 0) }
        }
      }
    }
    let contents = Contents(inputs: inputs, numbers: numbers, labels: rows.map { $0.fields[target] })
    return (contents, columns)
  }

  /// Class numbers of labels by the sorted list of names; whole numbers sort as numbers.
  package static func classNames(_ labels: [String]) -> [String] {
    let names = Set(labels)
    // `1` and `01` are different texts of the same number: the text decides, so that every run numbers them alike.
    if names.allSatisfy({ Int($0) != nil }) { return names.sorted { (Int($0) ?? 0, $0) < (Int($1) ?? 0, $1) } }
    return names.sorted()
  }
}
