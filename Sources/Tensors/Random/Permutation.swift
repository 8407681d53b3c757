extension RandomStream {
  /// A uniformly random order of 0..<count (Fisher and Yates), for example the samples of an epoch.
  public mutating func permutation(_ count: Int) -> [Int32] {
    precondition(count <= Int(Int32.max), "a permutation of \(count) elements")
    var order = (0..<Int32(count)).map { $0 }
    var last = count - 1
    while last > 0 {
      order.swapAt(last, below(last + 1))
      last -= 1
    }
    return order
  }
}
