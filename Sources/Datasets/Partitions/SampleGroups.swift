/// Who made each sample: writers of digits, speakers of lines, drawers of characters.
public struct SampleGroups: Sendable, Hashable {
  /// The group of every sample, in 0..<names.count.
  public let numbers: [Int32]
  /// What the groups are called.
  public let names: [String]

  /// Precondition: every number has a name.
  public init(numbers: [Int32], names: [String]) {
    precondition(numbers.allSatisfy { $0 >= 0 && $0 < names.count }, "a group outside 0..<\(names.count)")
    self.numbers = numbers
    self.names = names
  }

  /// The groups of some of the samples; all keep their names, also those that no sample is left of.
  func of(_ samples: [Int32]) -> SampleGroups {
    SampleGroups(numbers: samples.map { numbers[Int($0)] }, names: names)
  }
}
