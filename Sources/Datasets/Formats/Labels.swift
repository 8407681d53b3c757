/// Checks of class numbers that came from files.
enum Labels {
  /// The number of classes: the given one, or one more than the largest label.  A label outside is an error that says
  /// which sample has it.
  static func check(_ labels: [Int32], classes: Int?, path: String) throws(DataError) -> Int {
    let limit = classes ?? Int(labels.max() ?? 0) + 1
    guard classes != nil || limit <= 65536 else {
      throw DataError.malformed(path, "label \(limit - 1) would make \(limit) classes; at most 65,536 are taken")
    }
    if let wrong = labels.firstIndex(where: { $0 < 0 || $0 >= limit }) {
      throw DataError.malformed(
        path, "label \(labels[wrong]) of sample \(wrong) is outside 0..\(limit - 1)")
    }
    return limit
  }
}
