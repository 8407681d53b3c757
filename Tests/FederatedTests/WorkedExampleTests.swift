import Foundation
import Testing

@Suite("The worked example of a federated strategy")
struct FederatedExampleTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  @Test("is the source that compiles here")
  func sameSource() throws {
    let page = try String(
      contentsOf: Self.root.appending(path: "Sources/nndist/nndist.docc/AddingAFederatedStrategy.md"), encoding: .utf8)
    let source = try String(
      contentsOf: Self.root.appending(path: "Tests/FederatedTests/Examples/EqualLengths.swift"), encoding: .utf8)
    let blocks = page.components(separatedBy: "```swift\n").dropFirst().map { $0.components(separatedBy: "```")[0] }
    #expect(Array(blocks) == [source])
  }
}
