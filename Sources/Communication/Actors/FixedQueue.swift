/// A queue in one block of memory that never grows: its owner knows the most it can hold.
final class FixedQueue<Element: BitwiseCopyable> {
  private(set) var count = 0
  private let capacity: Int
  private let base: UnsafeMutablePointer<Element>
  private var head = 0

  init(capacity: Int) {
    self.capacity = max(capacity, 1)
    base = .allocate(capacity: self.capacity)
  }

  deinit { base.deallocate() }

  var isEmpty: Bool { count == 0 }
  /// The oldest element of a queue that is not empty.
  var first: Element { base[head] }

  func append(_ element: Element) {
    precondition(count < capacity, "a queue for \(capacity) is full")
    let tail = head + count
    (base + (tail < capacity ? tail : tail - capacity)).initialize(to: element)
    count += 1
  }

  func removeFirst() -> Element {
    precondition(count > 0, "an empty queue")
    let element = base[head]
    head = head + 1 == capacity ? 0 : head + 1
    count -= 1
    return element
  }
}
