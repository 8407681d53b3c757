/// What is known of each client with a state: where it lies, and the order of use of those in memory.
///
/// Entries are numbered and used again, so that nothing is allocated once as many have been there.
struct StateList {
  /// One client's state.
  struct Entry {
    var client: Int
    /// Its block in memory, -1 where there is none.
    var block = -1
    /// Its slot in the file, -1 where there is none.
    var slot = -1
    /// Whether a thread copies it or moves it at the moment.
    var isBusy = true
    /// Neighbours in the order of use.
    fileprivate var newer = -1
    fileprivate var older = -1
  }

  private(set) var places: [Int: Int] = [:]
  private var entries: [Entry] = []
  private var spare: [Int] = []
  private var newest = -1
  private var oldest = -1

  /// The entry with a number.
  subscript(_ number: Int) -> Entry {
    get { entries[number] }
    set { entries[number] = newValue }
  }

  /// A busy entry for a new client.
  mutating func add(_ client: Int) -> Int {
    let number: Int
    if let used = spare.popLast() {
      number = used
      entries[number] = Entry(client: client)
    } else {
      number = entries.count
      entries.append(Entry(client: client))
      spare.reserveCapacity(entries.capacity)
    }
    places[client] = number
    return number
  }

  /// Forgets an entry that has left the order of use.
  mutating func drop(_ number: Int) {
    places[entries[number].client] = nil
    spare.append(number)
  }

  /// Puts an entry at the new end of the order of use.
  mutating func enqueue(_ number: Int) {
    entries[number].newer = -1
    entries[number].older = newest
    if newest >= 0 { entries[newest].newer = number } else { oldest = number }
    newest = number
  }

  /// Takes an entry out of the order of use.
  mutating func dequeue(_ number: Int) {
    let (newer, older) = (entries[number].newer, entries[number].older)
    if newer >= 0 { entries[newer].older = older } else { newest = older }
    if older >= 0 { entries[older].newer = newer } else { oldest = newer }
  }

  /// The entry in memory used least recently that no thread is at; nil where there is none.
  var victim: Int? {
    var number = oldest
    while number >= 0, entries[number].isBusy { number = entries[number].newer }
    return number < 0 ? nil : number
  }
}
