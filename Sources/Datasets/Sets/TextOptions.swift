import Configuration
import Tensors

/// The options of texts, and how a text is cut into parts.
struct TextOptions: Sendable {
  let context: Int
  let shifts: Bool
  let test: Double

  /// Reads the keys; `test` is the default of a share that can be chosen, nil for the fixed tenth of a named set.
  init(_ options: inout Options, test: Double?) throws(ConfigurationError) {
    context = try options.integer(
      "context", default: 64, in: 1...1_048_576, unit: "characters", "characters of one sample, all predicted at once")
    shifts = try options.flag(
      "shift", default: true, "begin the samples of each epoch at another character, so that all alignments are seen")
    if let test {
      self.test = try options.number(
        "test", default: test, in: .open01, "share of the text, its end, that is the test part")
    } else {
      self.test = 0.1
    }
  }

  /// Training is the beginning of the text, test its end.  Validation is one stretch of training whose place is drawn by
  /// key: single windows would overlap their neighbours once those are shifted.
  func parts(_ path: String, seed: UInt64) throws(DataError) -> Parts {
    let file = try TextFile(path)
    let end = Int(Double(file.count) * (1 - test))
    let training = file.source([0..<end], context: context, shift: shifts ? seed : nil)
    let held = file.source([end..<file.count], context: context)
    guard training.count > 0, held.count > 0 else {
      throw DataError(
        .unsuitable,
        "\(path): \(file.count) characters are too few for training and test samples of \(context); lower data.context")
    }
    var parts = Parts(training: training, test: held, vocabulary: file.vocabulary)
    parts.cut = { (_, fraction, seed) in
      let length = min(end, Int((Double(end) * fraction).rounded()))
      var stream = RandomStream(seed: seed, .split, layer: 1)
      let start = stream.below(end - length + 1)
      return (
        file.source([start..<(start + length)], context: context),
        file.source(
          [0..<start, (start + length)..<end].filter { !$0.isEmpty }, context: context, shift: shifts ? seed : nil)
      )
    }
    return parts
  }
}
