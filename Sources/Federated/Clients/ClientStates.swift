import Glibc

/// What clients remember between rounds: a vector for each that has one, in memory as far as allowed, else in a file.
///
/// States used least recently leave memory first; one that lies in the file is read from there, and comes back into memory
/// when it is written.  The limit counts the vectors, of which at least one is kept; beside them a client costs about 150
/// bytes.  Nothing is allocated once a client has a state.
///
/// `@unchecked Sendable`: all but `floats` is guarded by the lock.  Copying is done without it, by the one thread that has
/// marked the client's entry as busy; others wait for that.
public final class ClientStates: @unchecked Sendable {
  /// Scalars of a state.
  public let floats: Int

  private let bytes: Int
  private let memoryLimit: Int
  private let spillDirectory: String?
  private var file: SpillFile?
  private var list = StateList()
  private var blocks: [UnsafeMutableRawPointer] = []
  private var spareBlocks: [Int] = []
  private var slots = 0
  private var spareSlots: [Int] = []
  private var waiting = 0
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let freed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  /// States of so many scalars, of which `memoryLimit` bytes may lie in memory; without a directory to spill to, more is an
  /// error.  The file has no name, so that nothing is left when the process ends, and is made when it is needed first.
  public convenience init(floats: Int, memoryLimit: Int, spillDirectory: String?) {
    self.init(floats: floats, memoryLimit: memoryLimit, spillDirectory: spillDirectory, file: nil)
  }

  /// The same with a file that is there already.  For tests.
  package init(floats: Int, memoryLimit: Int, spillDirectory: String?, file: SpillFile?) {
    precondition(floats > 0, "states of \(floats) scalars")
    self.floats = floats
    self.memoryLimit = memoryLimit
    self.spillDirectory = spillDirectory
    self.file = file
    bytes = floats * MemoryLayout<Float>.stride
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(freed, nil)
  }

  deinit {
    for block in blocks { free(block) }
    pthread_cond_destroy(freed)
    pthread_mutex_destroy(mutex)
    freed.deallocate()
    mutex.deallocate()
  }

  /// Copies the state of a client to `target`; false where it has none, and then `target` is as it was.  Throws `.refused` where
  /// the file cannot be read.
  public func read(_ client: Int, into target: UnsafeMutablePointer<Float>) throws(FederatedError) -> Bool {
    lock()
    guard let number = take(client) else {
      unlock()
      return false
    }
    defer {
      give(number)
      unlock()
    }
    let (block, slot) = (list[number].block, list[number].slot)
    if block >= 0 {
      list.dequeue(number)
      list.enqueue(number)
      let base = blocks[block]
      unlock()
      memcpy(target, base, bytes)
      lock()
      return true
    }
    guard let file else { preconditionFailure("the state of client \(client) is nowhere") }
    unlock()
    defer { lock() }
    try file.read(target, bytes: bytes, slot: slot)
    return true
  }

  /// Makes a copy of `source` the state of a client.  Throws `.refused` where memory or disk do not suffice; the client then has
  /// the state it had.
  public func write(_ client: Int, from source: UnsafePointer<Float>) throws(FederatedError) {
    lock()
    defer { unlock() }
    let known = take(client)
    let number = known ?? list.add(client)
    defer { give(number) }
    if list[number].block >= 0 {
      list.dequeue(number)
    } else {
      do {
        list[number].block = try freeBlock()
      } catch {
        if known == nil { list.drop(number) }
        throw error
      }
    }
    let base = blocks[list[number].block]
    unlock()
    memcpy(base, source, bytes)
    lock()
    list.enqueue(number)
  }

  /// Those who have a state, ascending.
  public var clients: [Int] {
    lock()
    defer { unlock() }
    return list.places.keys.sorted()
  }

  /// Forgets the state of a client, if it has one.
  public func remove(_ client: Int) {
    lock()
    defer { unlock() }
    if let number = take(client) { forget(number) }
  }

  /// Forgets all states.  Memory and file keep their sizes for those to come.
  public func removeAll() {
    lock()
    defer { unlock() }
    for client in list.places.keys {
      if let number = take(client) { forget(number) }
    }
  }

  // MARK: Under the lock

  /// The entry of a client, busy for this thread once no other is at it; nil where it has none.
  private func take(_ client: Int) -> Int? {
    while let number = list.places[client] {
      if !list[number].isBusy {
        list[number].isBusy = true
        return number
      }
      wait()
    }
    return nil
  }

  private func give(_ number: Int) {
    list[number].isBusy = false
    if waiting > 0 { pthread_cond_broadcast(freed) }
  }

  private func forget(_ number: Int) {
    let entry = list[number]
    if entry.block >= 0 {
      list.dequeue(number)
      spareBlocks.append(entry.block)
    }
    if entry.slot >= 0 { spareSlots.append(entry.slot) }
    list.drop(number)
    give(number)
  }

  /// A block that nobody uses, for which another client's state may have to leave memory.
  private func freeBlock() throws(FederatedError) -> Int {
    while true {
      if let block = spareBlocks.popLast() { return block }
      if blocks.isEmpty || (blocks.count + 1) * bytes <= memoryLimit { return try newBlock() }
      if let victim = list.victim { return try evict(victim) }
      wait()
    }
  }

  private func newBlock() throws(FederatedError) -> Int {
    guard let block = malloc(bytes) else {
      throw FederatedError(
        .refused, "no memory for the state of another client (\(bytes) bytes); lower the limit of their memory")
    }
    blocks.append(block)
    return blocks.count - 1
  }

  /// Moves a state to the file, without the lock meanwhile; returns its block.
  private func evict(_ number: Int) throws(FederatedError) -> Int {
    let file = try spillFile()
    list[number].isBusy = true
    defer { give(number) }
    var slot = list[number].slot
    if slot < 0 {
      slot = spareSlots.popLast() ?? slots
      slots = max(slots, slot + 1)
    }
    let block = list[number].block
    let base = blocks[block]
    unlock()
    defer { list[number].slot = slot }
    do {
      // The lock is needed again before the error is thrown on.
      defer { lock() }
      try file.write(base, bytes: bytes, slot: slot)
    }
    list.dequeue(number)
    list[number].block = -1
    return block
  }

  private func spillFile() throws(FederatedError) -> SpillFile {
    if let file { return file }
    guard let spillDirectory else {
      throw FederatedError(
        .refused,
        "the states of \(list.places.count) clients need \(list.places.count * bytes) bytes, more than the limit of "
          + "\(memoryLimit); raise it or name a folder for the rest")
    }
    let made = try SpillFile(in: spillDirectory)
    file = made
    return made
  }

  private func wait() {
    waiting += 1
    pthread_cond_wait(freed, mutex)
    waiting -= 1
  }

  private func lock() { pthread_mutex_lock(mutex) }
  private func unlock() { pthread_mutex_unlock(mutex) }
}
