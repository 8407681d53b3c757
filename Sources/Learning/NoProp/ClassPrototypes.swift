import Datasets
import Tensors

/// For each class, the sample that is most like its others: the one whose median distance to them is least.
enum ClassPrototypes {
  /// Samples of a class that are compared, the first ones: more would take long and change little.
  private static let samples = 256

  /// A row of `data`'s scalars for each class, before random changes; zeros for one without samples.
  ///
  /// - Complexity: the number of samples, and for each class 2¹⁵ distances.
  static func rows(_ data: any DataSource, classes: Int) -> [[Float]] {
    let data = data.unaugmented
    var members = [[Int]](repeating: [], count: classes)
    for sample in 0..<data.count {
      guard let label = data.label(sample), members[label].count < samples else { continue }
      members[label].append(sample)
    }
    return members.map { row(of: $0.map { read($0, data) }) ?? [Float](repeating: 0, count: data.inputShape.count) }
  }

  /// The row of least median distance to all; the first of several; nil where there is none.
  private static func row(of rows: [[Float]]) -> [Float]? {
    var distances = [[Double]](repeating: [Double](repeating: 0, count: rows.count), count: rows.count)
    for first in rows.indices {
      for second in 0..<first {
        let distance = squaredDistance(rows[first], rows[second])
        distances[first][second] = distance
        distances[second][first] = distance
      }
    }
    let medians = distances.map { $0.sorted()[$0.count / 2] }
    return medians.indices.min { medians[$0] < medians[$1] }.map { rows[$0] }
  }

  private static func squaredDistance(_ first: [Float], _ second: [Float]) -> Double {
    var sum = 0.0
    for (a, b) in zip(first, second) {
      let difference = Double(a - b)
      sum += difference * difference
    }
    return sum
  }

  private static func read(_ sample: Int, _ data: any DataSource) -> [Float] {
    let target = UnsafeMutableRawPointer.allocate(byteCount: max(4, data.targetShape.count * 4), alignment: 4)
    defer { target.deallocate() }
    return [Float](unsafeUninitializedCapacity: data.inputShape.count) { scalars, count in
      data.read(sample, epoch: 0, into: UnsafeMutableRawPointer(scalars.baseAddress!), targets: target)
      count = data.inputShape.count
    }
  }
}
