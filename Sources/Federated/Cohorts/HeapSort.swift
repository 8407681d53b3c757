extension UnsafeMutableBufferPointer<Int32> {
  /// Sorts in place, in n·log n steps (Williams and Floyd 1964): `sort` of the library may allocate.  Not stable.
  @inline(__always)
  func heapSort(by precedes: (Int32, Int32) -> Bool) {
    var root = count / 2
    while root > 0 {
      root -= 1
      siftDown(root, count, precedes)
    }
    var end = count
    while end > 1 {
      end -= 1
      swapAt(0, end)
      siftDown(0, end, precedes)
    }
  }

  @inline(__always)
  private func siftDown(_ start: Int, _ end: Int, _ precedes: (Int32, Int32) -> Bool) {
    var root = start
    while case let left = 2 &* root &+ 1, left < end {
      let right = left &+ 1
      let child = right < end && precedes(self[left], self[right]) ? right : left
      guard precedes(self[root], self[child]) else { return }
      swapAt(root, child)
      root = child
    }
  }
}
