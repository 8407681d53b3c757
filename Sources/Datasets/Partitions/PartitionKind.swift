import Configuration

/// A way to give clients their training samples.  Each is one file and one line of ``PartitionCatalog``.
///
/// A partition is a function of the samples, the clients and the seed: no rank or thread enters.
public protocol PartitionKind: Sendable {
  /// The name in configurations.
  static var name: String { get }
  /// What it does, in a sentence.
  static var help: String { get }
  /// Whether the data's own groups say how many clients there are when nobody does.
  static var countsGroups: Bool { get }

  /// Reads its keys.
  init(_ options: inout Options) throws(ConfigurationError)

  /// Gives every client its samples; throws one line for what cannot be.
  func partition(_ set: PartitionedSet, clients: Int, seed: UInt64) throws(PartitionRefusal) -> Partition
}

extension PartitionKind {
  /// Most kinds need to be told.
  public static var countsGroups: Bool { false }
}

/// Why samples cannot be given to clients as asked: one line without its place in a file.
public struct PartitionRefusal: Error, Sendable, Hashable {
  /// What was found and what to do.
  public let message: String

  init(_ message: String) { self.message = message }
}

/// What a partition needs to know of the samples.
public struct PartitionedSet: Sendable {
  /// Samples.
  public let count: Int
  /// The class of every sample; nil where samples have none or several.
  public let labels: [Int32]?
  /// Classes there may be; 0 without labels.
  public let classes: Int
  /// Who made each sample, where that is known.
  public let groups: SampleGroups?

  /// Samples with what is known of them.  Precondition: every label is in 0..<classes.
  public init(count: Int, labels: [Int32]? = nil, classes: Int = 0, groups: SampleGroups? = nil) {
    precondition(labels.map { $0.count == count } != false, "labels for another number of samples than \(count)")
    precondition(labels.map { $0.allSatisfy { $0 >= 0 && $0 < classes } } != false, "a label outside 0..<\(classes)")
    precondition(groups.map { $0.numbers.count == count } != false, "groups of another number of samples than \(count)")
    self.count = count
    self.labels = labels
    self.classes = classes
    self.groups = groups
  }

  /// The samples of a source.  Reads every label once.
  public init(_ source: any DataSource) {
    let labels = (0..<source.count).lazy.map { source.label($0) }
    let known = source.count > 0 && source.label(0) != nil
    self.init(
      count: source.count, labels: known ? labels.compactMap { $0.map { Int32($0) } } : nil,
      classes: known ? source.classCount ?? 0 : 0, groups: source.groups)
  }

  /// The samples of each class, ascending; nil without labels.
  package func samplesByClass() -> [[Int32]]? {
    guard let labels else { return nil }
    var samples = [[Int32]](repeating: [], count: classes)
    for (sample, label) in labels.enumerated() { samples[Int(label)].append(Int32(sample)) }
    return samples
  }
}
