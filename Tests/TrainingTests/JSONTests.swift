import Foundation
import Testing
import Training

@Suite("JSON that is written reads back to the same")
struct JSONTests {
  @Test func keysKeepTheirOrder() {
    var object: JSONObject = ["z": 1, "a": "b", "m": nil, "z": true]
    object["a"] = 2.5
    object["m"] = Optional<JSONValue>.none
    object["k"] = ["x", 1, [], [:]]
    #expect(object.text == "{\"z\": true, \"a\": 2.5, \"k\": [\"x\", 1, [], {}]}")
    #expect(object.lines == "{\n  \"z\": true,\n  \"a\": 2.5,\n  \"k\": [\n    \"x\",\n    1,\n    [],\n    {}\n  ]\n}")
    #expect(JSONValue(parsing: object.lines) == JSONValue(parsing: object.text))
    #expect(JSONObject().text == "{}")
  }

  @Test func textsAreEscaped() throws {
    var every = String.UnicodeScalarView((UInt32(0)..<0x300).compactMap { Unicode.Scalar($0) })
    every.append(contentsOf: "\u{2028}é😀\"\\".unicodeScalars)
    let original = String(every)
    let text = JSONValue.text(original).text
    #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x2028 && $0.value != 0x85 })
    #expect(JSONValue(parsing: text) == .text(original))
    #expect(JSONValue.object(["\n\"": 1]).text == "{\"\\n\\\"\": 1}")
    let foundation = try JSONSerialization.jsonObject(with: Data("[\(text)]".utf8)) as? [String]
    #expect(foundation == [original])
  }

  @Test(arguments: [
    0.1, 1.0 / 3, 1e-5, -0.0, 1e300, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 123_456_789.123, 1e16,
  ])
  func numbersKeepTheirBits(number: Double) throws {
    let text = JSONValue.number(number).text
    let read = try #require(try JSONSerialization.jsonObject(with: Data("[\(text)]".utf8)) as? [Double])
    #expect(read[0] == number)
  }

  @Test func whatJSONCannotSayIsNull() {
    for number in [Double.nan, .infinity, -.infinity] { #expect(JSONValue.number(number).text == "null") }
    #expect(JSONValue.integer(.min).text == "-9223372036854775808")
    #expect(JSONValue(parsing: "{") == nil)
    let read = JSONValue(parsing: "{\"b\": [1, true, null, 1.5], \"a\": \"c\"}")
    #expect(read?.text == "{\"a\": \"c\", \"b\": [1, true, null, 1.5]}")
  }
}
