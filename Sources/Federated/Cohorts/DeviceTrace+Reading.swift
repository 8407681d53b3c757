import Configuration
import Datasets

extension DeviceTrace {
  private static let columns = ["client", "start", "end", "speed"]

  /// Reads a file: CSV where its name ends in `.csv`, else JSON lines; both also with `.gz`.
  ///
  /// A line holds `client` (from 0), `start` and `end` of a time it was there (seconds), and its `speed` (samples per second),
  /// which may be left out.  A CSV without names has its columns in that order.  Throws what is wrong, naming the line.
  static func load(_ path: String, clients: Int) throws(DataError) -> DeviceTrace {
    let isCSV = path.hasSuffix(".csv") || path.hasSuffix(".csv.gz")
    let visits = isCSV ? try table(path, clients) : try objects(path, clients)
    do throws(Contradiction) {
      return try DeviceTrace(visits)
    } catch {
      throw DataError(.malformed, "\(path):\(error.line): \(error.message)")
    }
  }

  private static func objects(_ path: String, _ clients: Int) throws(DataError) -> [Visit] {
    var visits: [Visit] = []
    for (line, object) in try JSONLinesFile(path).rows {
      let place = "\(path):\(line)"
      for key in object.entries?.map(\.key) ?? [] { try check(key, place) }
      visits.append(
        try visit(
          line, place, clients, client: object["client"]?.integer, start: object["start"]?.number,
          end: object["end"]?.number, speed: object["speed"].flatMap { $0.isNull ? nil : $0.number ?? .nan }))
    }
    return visits
  }

  private static func table(_ path: String, _ clients: Int) throws(DataError) -> [Visit] {
    let file = try CSVFile(path)
    let width = file.rows[0].fields.count
    var places: [Int?]
    if let header = file.header {
      for name in header { try check(name, path) }
      places = columns.map { header.firstIndex(of: $0) }
    } else {
      places = columns.indices.map { $0 < width ? $0 : nil }
    }
    guard let client = places[0], let start = places[1], let end = places[2], width <= columns.count else {
      throw DataError(.malformed, "\(path): \(width) columns; expected client, start, end and perhaps speed")
    }
    var visits: [Visit] = []
    for row in file.rows {
      let speed = places[3].map { row.fields[$0] } ?? ""
      visits.append(
        try visit(
          row.line, "\(path):\(row.line)", clients, client: Int(row.fields[client]), start: Double(row.fields[start]),
          end: Double(row.fields[end]), speed: speed.isEmpty ? nil : Double(speed) ?? .nan))
    }
    return visits
  }

  private static func check(_ name: String, _ place: String) throws(DataError) {
    if columns.contains(name) { return }
    let meant = nearest(name, among: columns).map { "; is it `\($0)`?" } ?? ""
    throw DataError(.malformed, "\(place): `\(name)` is none of client, start, end and speed\(meant)")
  }

  /// Checks the fields of a line, of which those that are no numbers are nil, or NaN for the speed.
  private static func visit(
    _ line: Int, _ place: String, _ clients: Int, client: Int?, start: Double?, end: Double?, speed: Double?
  ) throws(DataError) -> Visit {
    guard let client, client >= 0 else {
      throw DataError(.malformed, "\(place): client is no whole number of at least 0")
    }
    guard client < clients else {
      throw DataError(.unsuitable, "\(place): client \(client), and there are \(clients), from 0; leave it out")
    }
    guard let start, start.isFinite, start >= 0 else {
      throw DataError(.malformed, "\(place): start is no number of seconds of at least 0")
    }
    guard let end, end.isFinite, end > start else {
      throw DataError(.malformed, "\(place): end is no number of seconds after start, \(start)")
    }
    if let speed, !speed.isFinite || speed <= 0 {
      throw DataError(.malformed, "\(place): speed is no number of samples per second above 0")
    }
    return Visit(line: line, client: client, start: start, end: end, speed: speed)
  }
}
