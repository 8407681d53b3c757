import Datasets
import Federated
import Foundation
import Tensors
import Testing

@Suite("Traces of devices")
struct DeviceTraceTests {
  /// Reads a trace of such a text, from a file that is gone afterwards.
  private func load(_ bytes: [UInt8], _ ending: String, more: String = "", clients: Int = 10) throws -> DeviceModel {
    let path = "\(NSTemporaryDirectory())trace-\(UUID().uuidString).\(ending)"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try devices("{trace: \(path)\(more)}").loaded(clients: clients)
  }

  private func load(_ text: String, _ ending: String, more: String = "", clients: Int = 10) throws -> DeviceModel {
    try load(Array(text.utf8), ending, more: more, clients: clients)
  }

  static let table = "client,start,end,speed\n3,0,10,50\n1,5,20,\n3,30,40,50\n\n1,25,26,\n"
  static let bare = "3,0,10,50\n1,5,20,\n3,30,40,50\n1,25,26,\n"
  static let turned = "end,speed,client,start\n10,50,3,0\n26,,1,25\n20,,1,5\n40,,3,30\n"
  static let objects = """
    {"client": 3, "start": 0, "end": 10, "speed": 50}
    {"client": 1, "start": 5.0, "end": 2e1, "speed": null}

    {"end": 40, "client": 3, "start": 30}
    {"client": 1, "start": 25, "end": 26}
    """

  @Test(
    "Clients are there in their intervals, again and again, and no others",
    arguments: [(table, "csv"), (bare, "csv"), (turned, "csv"), (objects, "jsonl"), (objects, "json")])
  func intervals(text: String, ending: String) throws {
    let model = try load(text, ending, more: ", speed: 10")
    #expect(!model.isIdeal)
    for time in stride(from: 0.0, to: 120, by: 0.25) {
      let hour = time.truncatingRemainder(dividingBy: 40)
      let third = hour < 10 || hour >= 30
      let first = (hour >= 5 && hour < 20) || (hour >= 25 && hour < 26)
      #expect(model.isAvailable(3, at: time, round: 0, seed: 1) == third)
      #expect(model.isAvailable(1, at: time, round: 0, seed: 1) == first)
      for other in [0, 2, 4, 9] { #expect(!model.isAvailable(other, at: time, round: 0, seed: 1)) }
    }
    // A speed of the trace counts before that of the configuration.
    #expect(model.seconds(3, samples: 100, bytesDown: 0, bytesUp: 0, seed: 1) == 2)
    #expect(model.seconds(1, samples: 100, bytesDown: 0, bytesUp: 0, seed: 1) == 10)
    let always = try load(text, ending, more: ", availability: always")
    #expect(always.isAvailable(7, at: 99, round: 0, seed: 1))
    #expect(always.seconds(3, samples: 100, bytesDown: 0, bytesUp: 0, seed: 1) == 2)
    #expect(always.seconds(1, samples: 100, bytesDown: 0, bytesUp: 0, seed: 1) == 0)
  }

  @Test(
    "A bad line is named with its fault",
    arguments: [
      ("client,start,end\n1,0,5\n-1,0,5\n", "csv", ":3: client is no whole number of at least 0"),
      ("client,start,end\n1.5,0,5\n", "csv", ":2: client is no whole number"),
      ("client,start,end\n10,0,5\n", "csv", ":2: client 10, and there are 10, from 0"),
      ("client,start,end\n1,-2,5\n", "csv", ":2: start is no number"),
      ("client,start,end\n1,nan,5\n", "csv", ":2: start is no number"),
      ("client,start,end\n1,5,5\n", "csv", ":2: end is no number of seconds after start, 5.0"),
      ("client,start,end\n1,5,inf\n", "csv", ":2: end is no number"),
      ("client,start,end,speed\n1,5,6,0\n", "csv", ":2: speed is no number"),
      ("client,start,end,speed\n1,5,6,quick\n", "csv", ":2: speed is no number"),
      ("client,start,ende\n1,5,6\n", "csv", ": `ende` is none of client, start, end and speed; is it `end`?"),
      ("client,start\n1,5\n", "csv", ": 2 columns; expected client, start, end and perhaps speed"),
      ("1,2,3,4,5\n", "csv", ": 5 columns"), ("client,start,end\n1,5\n", "csv", ":2: 2 fields"), ("", "csv", "no rows"),
      ("client,start,end\n1,0,5\n2,0,9\n1,4,8\n", "csv", ":4: client 1 is there already from line 2"),
      ("client,start,end,speed\n1,0,5,3\n1,6,8,4\n", "csv", ":3: client 1 has a speed of 4.0 and of 3.0 elsewhere"),
      ("{\"client\": 1, \"start\": 0, \"end\": 5}\n\n[1, 2]\n", "jsonl", ":3: "),
      ("{\"client\": 1, \"start\": 0\n", "jsonl", ":1: "), ("\n \n", "jsonl", "there are no rows"),
      ("{\"client\": 1, \"start\": 0}\n", "jsonl", ":1: end is no number"),
      ("{\"client\": \"1\", \"start\": 0, \"end\": 5}\n", "jsonl", ":1: client is no whole number"),
      ("{\"client\": 1, \"start\": 0, \"end\": 5, \"sped\": 3}\n", "jsonl", "`sped` is none of"),
      ("{\"client\": 1, \"start\": 0, \"end\": 5, \"speed\": [3]}\n", "jsonl", ":1: speed is no number"),
    ])
  func badLines(text: String, ending: String, message: String) {
    let error = #expect(throws: DataError.self) { try load(text, ending) }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    #expect(error?.description.contains("trace-") == true)
  }

  @Test("A file that is not there is named")
  func missing() throws {
    let error = #expect(throws: DataError.self) { try devices("{trace: /nonexistent.csv}").loaded(clients: 3) }
    #expect(error?.kind == .missing)
    #expect(error?.description == "/nonexistent.csv: no such file")
  }

  @Test("Whatever the bytes, a trace is read or refused", arguments: [(table, "csv"), (objects, "jsonl")])
  func fuzzed(text: String, ending: String) {
    var random = RandomStream(seed: 8, .test)
    let good = Array(text.utf8)
    var refused = 0
    for _ in 0..<400 {
      var bytes = good
      for _ in 0...random.below(3) {
        let place = random.below(bytes.count)
        switch random.below(4) {
        case 0: bytes[place] = UInt8(random.below(256))
        case 1: bytes.remove(at: place)
        case 2: bytes.insert(good[random.below(good.count)], at: place)
        default: bytes.removeSubrange(place...)
        }
        if bytes.isEmpty { bytes = [UInt8(random.below(256))] }
      }
      do {
        let model = try load(bytes, ending)
        for client in 0..<10 { _ = model.isAvailable(client, at: random.uniformDouble() * 50, round: 0, seed: 1) }
      } catch let error as DataError {
        refused += 1
        #expect(!error.description.contains("\n"))
      } catch {
        Issue.record("\(error)")
      }
    }
    #expect(refused > 50 && refused < 400)
  }
}
