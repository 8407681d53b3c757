import Foundation

/// The numbers of `references.json`, which `make_references.py` made with PyTorch.
struct References: Decodable {
  struct Rules: Decodable {
    struct Case: Decodable, CustomStringConvertible {
      let options: String
      let clip: Double
      let after: [[Double]]
      var description: String { clip > 0 ? "\(options), clip \(clip)" : options }
    }
    let weights: [Float]
    let gradients: [[Float]]
    let steps: Int
    let stepsPerEpoch: Int
    let recorded: [Int]
    let cases: [Case]
  }
  struct Schedules: Decodable {
    struct Case: Decodable, CustomStringConvertible {
      let options: String
      let rates: [Double]
      var description: String { options }
    }
    let steps: Int
    let stepsPerEpoch: Int
    let cases: [Case]
  }
  let clipping: [[Double]]
  let schedules: Schedules
  let rules: Rules

  /// Read once; a missing or broken file ends the tests with its error.
  static let stored: References = {
    do {
      let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../references.json")
      return try JSONDecoder().decode(References.self, from: Data(contentsOf: path))
    } catch {
      preconditionFailure("references.json: \(error)")
    }
  }()
}
