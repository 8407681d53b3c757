/// What a rank waits for: of interest to those who wait for that rank.
struct Hold {
  /// Distinguishes what this process has waited for.
  let key: Int
  /// The identity of the group; one that groups have for their calls through shared memory differs from that for messages.
  let group: UInt64
  /// The number of the collective there, from 1; 0 for a message.
  let number: Int
  /// Ranks there that have not come.
  let sources: [Int]
  /// The call in words.
  let words: String
}
