import Compression

/// What a masked upload is: all sums of a round in one vector of 64-bit words, which add modulo 2⁶⁴.
///
/// The parts of the plan in order, one word a scalar: q of a change or of numbers (``FixedPointScale``), ±1 of a vote, an
/// integer as it is; then ``Extra``.  Sums of words are what ``FixedPointSum`` and ``VoteSum`` have come to without masks, to
/// the bit.  Weights are not in it: the server knows what each client weighs.  Cost: 8 bytes a scalar, two passes.
public struct MaskedLayout: Sendable, Hashable {
  /// The words behind the parts, in order.
  enum Extra: Int, CaseIterable {
    /// 1 for a change that was not clipped.
    case whole
    /// The sum of losses in units of 2⁻²⁰.
    case loss
    case terms
    case steps
  }

  /// The parts, as the plan has them.
  public let parts: [UploadPart]
  /// Words of each part.
  public let ranges: [Range<Int>]
  /// Words in all.
  public let words: Int

  /// Bytes behind the parts.
  static let extraBytes = 8 * Extra.allCases.count
  /// Losses travel with 20 binary places; beyond ±2³⁰ they are cut there, so that those of 8,192 clients never overflow.
  static let (lossUnit, largestLoss) = (0x1p20, 0x1p30)

  /// Steps and terms of a round beyond which the sum is of nonsense.
  static let largestCount = 1 << 44

  /// The layout of a plan whose uploads are all sums.
  public init(_ plan: FederatedPlan) {
    precondition(!plan.keepsChanges, "uploads that must be seen together have no sum")
    self.init(plan.uploads)
  }

  /// The layout of some parts.
  package init(_ parts: [UploadPart]) {
    self.parts = parts
    var ranges: [Range<Int>] = []
    for part in parts {
      let start = ranges.last?.upperBound ?? 0
      ranges.append(start..<start + part.count)
    }
    self.ranges = ranges
    words = (ranges.last?.upperBound ?? 0) + Extra.allCases.count
  }

  /// Bytes of an upload.
  public var bytes: Int { 8 * words }

  // MARK: The client

  /// Writes an upload that weighs so much.  False, and no word is of use, where the loss or a scalar is not finite or beyond
  /// what sums hold: such an upload must not be sent.
  public func quantise(
    _ upload: Upload, _ outcome: LocalOutcome, isWhole: Bool, weight: Int, _ scale: FixedPointScale,
    into words: UnsafeMutableBufferPointer<UInt64>
  ) -> Bool {
    precondition(words.count == self.words && upload.parts == parts, "another upload than the plan's")
    precondition(weight >= 0 && weight <= scale.totalWeight, "weight \(weight) of \(scale.totalWeight)")
    guard outcome.loss.isFinite && upload.isSummable else { return false }
    words.update(repeating: 0)
    words.withMemoryRebound(to: Int64.self) { words in
      for (index, range) in ranges.enumerated() where !range.isEmpty {
        let target = UnsafeMutableBufferPointer(rebasing: words[range])
        quantise(upload, index, weight: weight, scale, into: target)
      }
      let extra = UnsafeMutableBufferPointer(rebasing: words[(words.count - Extra.allCases.count)...])
      let loss = min(MaskedLayout.largestLoss, max(-MaskedLayout.largestLoss, outcome.loss))
      extra[Extra.whole.rawValue] = isWhole ? 1 : 0
      extra[Extra.loss.rawValue] = Int64((loss * MaskedLayout.lossUnit).rounded(.toNearestOrEven))
      extra[Extra.terms.rawValue] = Int64(outcome.terms)
      extra[Extra.steps.rawValue] = Int64(outcome.steps)
    }
    return true
  }

  private func quantise(
    _ upload: Upload, _ index: Int, weight: Int, _ scale: FixedPointScale,
    into words: UnsafeMutableBufferPointer<Int64>
  ) {
    guard let target = words.baseAddress else { return }
    switch parts[index].kind {
    case .change, .numbers:
      guard let scalars = upload.scalars(index).baseAddress else { return }
      scale.add(scalars, weight: parts[index].isUnweighted ? 1 : weight, to: target, count: words.count)
    case .votes:
      let bits = upload.bits(index)
      for i in 0..<words.count { target[i] = bits[i >> 3] >> UInt8(i & 7) & 1 == 1 ? 1 : -1 }
    case .integers:
      guard let integers = upload.integers(index).baseAddress else { return }
      target.update(from: integers, count: words.count)
    }
  }

  // MARK: The server

  /// Writes the sums over so many clients, whose weights sum to `weight`, to where they would have been added one by one: for
  /// each part the one that its kind has.
  public func read(
    _ words: UnsafeBufferPointer<UInt64>, weight: Int, updates: Int, sums: [FixedPointSum?], votes: [VoteSum?],
    integers: [UnsafeMutableBufferPointer<Int64>?]
  ) {
    precondition(words.count == self.words, "\(words.count) words for a layout of \(self.words)")
    for (index, range) in ranges.enumerated() {
      let part = words[range]
      switch parts[index].kind {
      case .change, .numbers:
        guard let sum = sums[index] else { preconditionFailure("no sum for \(parts[index].name)") }
        for (place, word) in part.enumerated() { sum.words[place] = Int64(bitPattern: word) }
        sum.words[range.count] = Int64(parts[index].isUnweighted ? updates : weight)
        sum.words[range.count + 1] = Int64(updates)
      case .votes:
        guard let sum = votes[index] else { preconditionFailure("no votes for \(parts[index].name)") }
        for (place, word) in part.enumerated() { sum.words[place] = Int32(truncatingIfNeeded: word) }
        sum.words[range.count] = Int32(updates)
      case .integers:
        guard let sum = integers[index] else { preconditionFailure("no integers for \(parts[index].name)") }
        for (place, word) in part.enumerated() { sum[place] = Int64(bitPattern: word) }
      }
    }
  }

  /// What clients have told of their training, summed.
  public func totals(_ words: UnsafeBufferPointer<UInt64>) -> MaskedTotals {
    precondition(words.count == self.words, "\(words.count) words for a layout of \(self.words)")
    func sum(_ extra: Extra) -> Int {
      Int(truncatingIfNeeded: words[words.count - Extra.allCases.count + extra.rawValue])
    }
    // One client that masks nonsense must not make counts of the whole run overflow.
    func count(_ extra: Extra) -> Int { min(max(0, sum(extra)), MaskedLayout.largestCount) }
    return MaskedTotals(
      whole: sum(.whole), loss: Double(sum(.loss)) / MaskedLayout.lossUnit, terms: count(.terms), steps: count(.steps))
  }
}

/// What the clients of a masked round have told of their training, summed.
public struct MaskedTotals: Sendable, Hashable {
  /// Clients whose change was not clipped.
  public let whole: Int
  /// The sum of their losses, of which each is rounded to 2⁻²⁰.
  public let loss: Double
  /// Terms in it.
  public let terms: Int
  /// Steps made.
  public let steps: Int
}
