import Optimizers
import Tensors
import Testing

@Suite("Norms depend on the gradient alone")
struct GradientNormTests {
  private func gradient(_ count: Int) -> Storage {
    let storage = Storage(zeros: count)
    var random = RandomStream(seed: 3, .test)
    for i in 0..<count { storage.base[i] = random.normal() * 1e-3 }
    return storage
  }

  @Test(arguments: [1, 2, 3, 5, 16])
  func partsInAnyOrderAreTheWhole(_ parts: Int) {
    let layout = layout([[100, 90], [7], [5000], [4096], []])
    let gradient = gradient(layout.parameterCount)
    let whole = GradientNorm(layout)
    whole.measure(gradient.base, range: 0..<layout.parameterCount)
    let norm = GradientNorm(layout)
    for range in norm.blocks.parts(parts).reversed() { norm.measure(gradient.base, range: range) }
    #expect(norm.norm == whole.norm)
    var total = 0.0
    for scalar in gradient.scalars { total += Double(scalar) * Double(scalar) }
    #expect(abs(norm.norm - total.squareRoot()) < 1e-12 * total.squareRoot())
  }

  @Test func whatWasNotMeasuredIsNoNumber() {
    let layout = layout([[5000]])
    let norm = GradientNorm(layout)
    norm.measure(gradient(5000).base, range: 0..<4096)
    #expect(norm.norm.isNaN)
  }

  @Test func largeGradientsDoNotOverflow() {
    let layout = layout([[3]])
    let gradient = Storage(zeros: 3)
    for i in 0..<3 { gradient.base[i] = 1e38 }
    let norm = GradientNorm(layout)
    norm.measure(gradient.base, range: 0..<3)
    #expect(abs(norm.norm - 3.squareRoot() * 1e38) < 1e32)
  }

  @Test(arguments: References.stored.clipping)
  func clippingIsPyTorchs(_ reference: [Double]) {
    let scale = Double(GradientNorm.scale(norm: reference[0], clip: reference[1]))
    #expect(abs(scale - reference[2]) <= 1e-7 * reference[2])
  }

  @Test func brokenNormsAreNotHidden() {
    #expect(GradientNorm.scale(norm: .nan, clip: 1).isNaN)
    #expect(GradientNorm.scale(norm: .infinity, clip: 1) == 0)
  }
}

@Suite("Blocks cut parameters from their starts")
struct ParameterBlocksTests {
  let blocks = ParameterBlocks(layout([[2, 4096], [0], [10], [4097], []]))

  @Test func rangesOfBlocks() {
    #expect(
      (0..<blocks.count).map(blocks.scalars(ofBlock:)) == [
        0..<4096, 4096..<8192, 8192..<8202, 8202..<12298, 12298..<12299, 12299..<12300,
      ])
    #expect((0..<5).map(blocks.blocks(ofParameter:)) == [0..<2, 2..<2, 2..<3, 3..<5, 5..<6])
    #expect(
      (0..<5).map(blocks.scalars(ofParameter:)) == [0..<8192, 8192..<8192, 8192..<8202, 8202..<12299, 12299..<12300])
    #expect((0..<5).map(blocks.axes(ofParameter:)) == [2, 1, 1, 1, 0])
  }

  @Test func rangesOfScalars() {
    #expect(blocks.blocks(in: 4096..<12298) == 1..<4)
    #expect(blocks.blocks(in: 0..<12300) == 0..<6)
    #expect(blocks.blocks(in: 17..<17).isEmpty)
    #expect(blocks.edge(notBeyond: 8191) == 4096)
    #expect(blocks.edge(notBeyond: 8192) == 8192)
    #expect(blocks.edge(notBeyond: 12300) == 12300)
  }

  @Test(arguments: [0..<1, 0..<8192, 8191..<8193, 8195..<8196, 8201..<12300, 12299..<12300, 5..<5])
  func parametersOfARange(_ range: Range<Int>) {
    let expected = (0..<5).filter { blocks.scalars(ofParameter: $0).overlaps(range) }
    #expect(blocks.parameters(in: range).filter { !blocks.scalars(ofParameter: $0).isEmpty } == expected)
  }

  @Test(arguments: [1, 2, 3, 4, 50])
  func partsCoverEverythingOnce(_ number: Int) {
    let parts = blocks.parts(number)
    #expect(parts.count == number)
    #expect(parts[0].lowerBound == 0 && parts[number - 1].upperBound == 12300)
    for (a, b) in zip(parts, parts.dropFirst()) { #expect(a.upperBound == b.lowerBound) }
    for part in parts {
      #expect(blocks.blocks(in: part).reduce(0) { $0 + blocks.scalars(ofBlock: $1).count } == part.count)
    }
  }

  @Test func nothingHasNoBlocks() {
    let none = ParameterBlocks(layout([]))
    #expect(none.count == 0)
    #expect(none.parts(3) == [0..<0, 0..<0, 0..<0])
  }
}
