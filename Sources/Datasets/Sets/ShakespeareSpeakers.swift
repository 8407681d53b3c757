import Foundation
import Tensors

/// Shakespeare by speaker, in LEAF's form (S. Caldas et al. 2018): `users` names the speakers, `user_data[user].raw` lists
/// their speeches.
///
/// Samples never leave a speaker's lines.  The end of them, a tenth, is the test part, and validation the end of what
/// precedes it; speakers whose lines fill no training sample are left out.  A name that two plays share is one speaker.
enum ShakespeareSpeakers {
  private struct File: Decodable {
    struct Speeches: Decodable { let raw: [String] }
    let users: [String]
    let userData: [String: Speeches]

    enum CodingKeys: String, CodingKey {
      case users
      case userData = "user_data"
    }
  }

  static func parts(_ folder: String, _ options: TextOptions, seed: UInt64) throws(DataError) -> Parts {
    guard let path = firstFile(["by_speaker.json"], in: folder) else {
      throw DataError(.missing, "\(folder) does not hold by_speaker.json, which data.speakers reads; put it there")
    }
    let file = try read(path)
    var text = ""
    var lengths: [Int] = []
    for user in file.users {
      guard let speeches = file.userData[user] else {
        throw DataError.malformed(path, "user_data has no `\(user)`, whom users names; get the file again")
      }
      let lines = speeches.raw.map { $0 + "\n" }.joined()
      text += lines
      lengths.append(lines.unicodeScalars.count)
    }
    guard !text.isEmpty else { throw DataError.malformed(path, "nobody says anything; get the file again") }
    let tokens = try TextFile(text, path: path)
    let shift = options.shifts ? seed : nil
    let context = options.context

    var speakers: [String] = []
    var training: [Range<Int>] = []
    var test: [Range<Int>] = []
    var start = 0
    for (user, length) in zip(file.users, lengths) {
      let end = start + Int(Double(length) * (1 - options.test))
      if TextSource.windows(in: end - start, context: context, shifted: shift != nil) > 0 {
        speakers.append(user)
        training.append(start..<end)
        test.append(end..<(start + length))
      }
      start += length
    }

    let names = speakers
    /// Stretches as a source; those of speakers with too little text yield no sample.
    @Sendable func source(_ stretches: [Range<Int>], shift: UInt64? = nil) -> any DataSource {
      let whole = tokens.source(stretches, context: context, shift: shift)
      return GroupedSource(whole, SampleGroups(numbers: whole.stretchNumbers, names: names))
    }
    let held = source(test)
    guard !training.isEmpty, held.count > 0 else {
      throw DataError(.unsuitable, "\(path): no speaker says enough for samples of \(context); lower data.context")
    }
    var parts = Parts(
      training: source(training, shift: shift), test: held, vocabulary: tokens.vocabulary,
      detail: "\(names.count) of \(file.users.count) speakers")
    let stretches = training
    parts.cut = { (_, fraction, _) in
      let cuts = stretches.map { $0.upperBound - Int((Double($0.count) * fraction).rounded()) }
      return (
        source(zip(stretches, cuts).map { $1..<$0.upperBound }),
        source(zip(stretches, cuts).map { $0.lowerBound..<$1 }, shift: shift)
      )
    }
    return parts
  }

  private static func read(_ path: String) throws(DataError) -> File {
    let bytes = try ByteReader.whole(path)
    do {
      return try JSONDecoder().decode(File.self, from: Data(bytes.bytes))
    } catch {
      throw DataError.malformed(path, "not an object of users and user_data, each with a list raw; get the file again")
    }
  }
}
