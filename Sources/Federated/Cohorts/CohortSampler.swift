import Glibc
import Tensors

/// Who takes part in a round: a pure function of the seed, the round and who can be asked.
public struct CohortSampler: Sendable {
  /// How clients are chosen.
  public enum Kind: Sendable, Hashable {
    /// So many, every set of them equally likely.
    case fixed(Int)
    /// Each on its own with a probability: the sampling that privacy accountants assume.
    case poisson(rate: Double)
  }

  private let kind: Kind
  private let clients: Int
  private let seed: UInt64
  /// Clients asked one by one before all are looked at instead, which bounds the memory where hardly anyone is there.
  private let patience: Int

  /// Chooses among clients 0..<clients.  Precondition: a fixed cohort is no larger than that, a rate is in 0...1.
  public init(_ kind: Kind, clients: Int, seed: UInt64) {
    self.init(kind, clients: clients, seed: seed, patience: 1 << 20)
  }

  /// The same with another limit to asking one by one.  For tests.
  package init(_ kind: Kind, clients: Int, seed: UInt64, patience: Int) {
    precondition(clients > 0 && clients <= Int(Int32.max), "\(clients) clients")
    switch kind {
    case .fixed(let count): precondition(count >= 0 && count <= clients, "a cohort of \(count) of \(clients) clients")
    case .poisson(let rate): precondition(rate >= 0 && rate <= 1, "a rate of \(rate)")
    }
    self.kind = kind
    self.clients = clients
    self.seed = seed
    self.patience = patience
  }

  /// Appends the cohort of a round, ascending.
  ///
  /// `isAvailable` says who can be asked, and must be a pure function of the client.  A fixed cohort is a uniformly random set
  /// of those who can, smaller only where they are fewer; a Poisson cohort is each of those who can with the rate.
  ///
  /// Work and memory: fixed, of the order of clients asked (Fisher and Yates on a sparse permutation), whatever the
  /// population; where those are more than a million and 64 cohorts, one look at every client.  Poisson, of the order of the
  /// cohort: gaps between chosen clients are geometric, by inversion of a uniform number of 53 bits.  Nothing is allocated
  /// once `cohort` and `scratch` have grown.
  public func select(
    round: Int, isAvailable: (Int) -> Bool, into cohort: inout [Int32], _ scratch: CohortScratch
  ) {
    var stream = RandomStream(
      seed: seed, .selection, epoch: UInt64(bitPattern: Int64(round)), layer: SelectionStream.cohort)
    let start = cohort.count
    switch kind {
    case .fixed(let count):
      if !draw(count, isAvailable, &cohort, &stream, scratch) {
        cohort.removeSubrange(start...)
        scan(count, isAvailable, &cohort, &stream)
      }
      cohort.withUnsafeMutableBufferPointer { all in
        UnsafeMutableBufferPointer(rebasing: all[start...]).heapSort { $0 < $1 }
      }
    case .poisson(let rate): skip(rate, isAvailable, &cohort, &stream)
    }
  }

  /// Goes through a random permutation until enough can be asked; false if patience ends before.
  private func draw(
    _ count: Int, _ isAvailable: (Int) -> Bool, _ cohort: inout [Int32], _ stream: inout RandomStream,
    _ scratch: CohortScratch
  ) -> Bool {
    scratch.clear(expecting: count)
    let limit = min(clients, max(patience, 64 * count))
    let end = cohort.count + count
    var drawn = 0
    while cohort.count < end {
      if drawn == limit { return limit == clients }
      let other = drawn &+ stream.below(clients &- drawn)
      let client = scratch.number(at: UInt32(truncatingIfNeeded: other))
      if other != drawn {
        scratch.put(scratch.number(at: UInt32(truncatingIfNeeded: drawn)), at: UInt32(truncatingIfNeeded: other))
      }
      drawn &+= 1
      if isAvailable(Int(client)) { cohort.append(Int32(bitPattern: client)) }
    }
    return true
  }

  /// Looks at every client and keeps a uniform sample (Waterman's reservoir, Knuth 1981).  Whether it is needed depends on
  /// how many can be asked were drawn, not on which, so that all sets stay equally likely.
  private func scan(
    _ count: Int, _ isAvailable: (Int) -> Bool, _ cohort: inout [Int32], _ stream: inout RandomStream
  ) {
    let start = cohort.count
    var seen = 0
    var client = 0
    while client < clients {
      if isAvailable(client) {
        seen &+= 1
        if seen <= count {
          cohort.append(Int32(truncatingIfNeeded: client))
        } else if case let place = stream.below(seen), place < count {
          cohort[start &+ place] = Int32(truncatingIfNeeded: client)
        }
      }
      client &+= 1
    }
  }

  private func skip(
    _ rate: Double, _ isAvailable: (Int) -> Bool, _ cohort: inout [Int32], _ stream: inout RandomStream
  ) {
    if rate == 0 { return }
    let scale = 1 / log1p(-rate)
    var client = 0
    while true {
      let gap = (log(1 - stream.uniformDouble()) * scale).rounded(.down)
      guard gap < Double(clients - client) else { return }
      client += Int(gap)
      if isAvailable(client) { cohort.append(Int32(truncatingIfNeeded: client)) }
      client += 1
    }
  }
}
