import Federated
import Tensors
import Testing

@Suite("Prototype memory")
struct PrototypeMemoryTests {
  static let (classes, width, samples) = (7, 37, 90)

  /// A sample of class i mod 7 (class 6 has none).
  static func embedding(_ sample: Int) -> (scalars: [Float], label: Int) {
    var random = RandomStream(seed: 2, .test, sample: UInt64(sample))
    return ((0..<width).map { _ in random.normal() * 3 }, sample % (classes - 1))
  }

  static func memory(_ samples: some Sequence<Int>) -> PrototypeMemory {
    let memory = PrototypeMemory(classes: classes, width: width)
    for sample in samples {
      let (scalars, label) = embedding(sample)
      #expect(scalars.withUnsafeBufferPointer { memory.add($0.baseAddress!, to: label) })
    }
    return memory
  }

  static func words(_ memory: PrototypeMemory) -> [Int64] { Array(memory.words) }

  @Test("Merging in any order and grouping is pooling: to the bit", arguments: 1...8)
  func merging(_ clients: Int) {
    let pooled = Self.words(Self.memory(0..<Self.samples))
    var random = RandomStream(seed: UInt64(clients), .test)
    for _ in 0..<6 {
      let order = random.permutation(Self.samples).map { Int($0) }
      var parts = (0..<clients).map { client in
        Self.memory(order[client * Self.samples / clients..<(client + 1) * Self.samples / clients])
      }
      // A random tree of merges.
      while parts.count > 1 {
        let taken = parts.remove(at: random.below(parts.count))
        parts[random.below(parts.count)].merge(taken)
      }
      #expect(Self.words(parts[0]) == pooled)
    }
    let empty = PrototypeMemory(classes: Self.classes, width: Self.width)
    let whole = Self.memory(0..<Self.samples)
    whole.merge(empty)
    #expect(Self.words(whole) == pooled)
  }

  @Test("Merging is adding words, so that one sum of integers does it")
  func words() {
    let (left, right) = (Self.memory(0..<40), Self.memory(40..<Self.samples))
    let sum = zip(left.words, right.words).map { $0 + $1 }
    left.merge(right)
    #expect(Self.words(left) == sum)
  }

  @Test("A prototype is the mean of its samples; classes without samples are not known")
  func means() {
    let memory = Self.memory(0..<Self.samples)
    #expect(memory.known == [0, 1, 2, 3, 4, 5])
    #expect(memory.samples == Self.samples)
    var prototype = [Float](repeating: .nan, count: Self.width)
    for label in 0..<6 {
      #expect(memory.count(label) == 15)
      prototype.withUnsafeMutableBufferPointer { memory.prototype(label, into: $0.baseAddress!) }
      let own = (0..<Self.samples).map(Self.embedding).filter { $0.label == label }
      for i in 0..<Self.width {
        let mean = own.reduce(0.0) { $0 + Double($1.scalars[i]) } / 15
        #expect(abs(Double(prototype[i]) - mean) < 1e-7 * max(1, abs(mean)))
      }
    }
    #expect(memory.uploadBytes == 6 * (4 + 8 * 38))
    memory.clear()
    #expect(memory.known.isEmpty && memory.uploadBytes == 0)
  }

  @Test("What is not finite or too large is refused, and nothing is added", arguments: [Float.nan, .infinity, 257])
  func refusal(_ value: Float) {
    let memory = Self.memory(0..<10)
    let before = Self.words(memory)
    var (scalars, _) = Self.embedding(0)
    scalars[36] = value
    #expect(!scalars.withUnsafeBufferPointer { memory.add($0.baseAddress!, to: 1) })
    #expect(Self.words(memory) == before)
  }

  @Test("The nearest prototype is the nearest", arguments: [1, 127, 128, 300])
  func nearest(_ count: Int) {
    let memory = Self.memory(0..<Self.samples)
    let prototypes = Prototypes(memory)
    let queries = (0..<count).map { Self.embedding(1000 + $0).scalars }
    let found = queries.flatMap { $0 }.withUnsafeBufferPointer { prototypes.nearest($0.baseAddress!, count: count) }
    var prototype = [Float](repeating: 0, count: Self.width)
    for (query, label) in zip(queries, found) {
      let distances = (0..<6).map { other in
        prototype.withUnsafeMutableBufferPointer { memory.prototype(other, into: $0.baseAddress!) }
        return zip(query, prototype).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
      }
      // Equal but for rounding.
      #expect(distances[Int(label)] <= distances.min()! * (1 + 1e-6))
    }
  }

  @Test("Nothing is nearest where nothing is known, or to what is not a number")
  func none() {
    let query = [Float](repeating: 1, count: Self.width)
    let empty = Prototypes(PrototypeMemory(classes: 3, width: Self.width))
    #expect(query.withUnsafeBufferPointer { empty.nearest($0.baseAddress!, count: 1) } == [-1])
    let known = Prototypes(Self.memory(0..<20))
    let bad = [Float](repeating: .nan, count: Self.width)
    #expect(bad.withUnsafeBufferPointer { known.nearest($0.baseAddress!, count: 1) } == [-1])
  }
}
