import Communication

/// Ranks of a group that exchange messages with each other: all, or those at equal distances.
struct Circle {
  /// This rank's place among them, from 0.
  let place: Int
  let size: Int
  var firstRank = 0
  var distance = 1

  /// The rank at a place.
  func rank(at place: Int) -> Int { firstRank + place * distance }

  /// The other places, from the next higher one around.
  func eachOther(_ body: (Int) throws(CommunicationError) -> Void) throws(CommunicationError) {
    for step in 1..<max(size, 1) { try body((place + step) % size) }
  }
}
