import Compression
import Datasets
import Layers
import Tensors

/// How ``FedMask``'s clients say which entries they have and which are set, and how its server says shares.
///
/// A share is s of h clients that have an entry, numbered h (h + 1) / 2 + s in ⌈log₂ (M+1)(M+2)/2⌉ bits; 0 where there is none.
final class FedMaskWire {
  private let task: FederatedTask
  private let count: Int
  private let bits: Int
  private let buffer: UnsafeMutableRawBufferPointer

  private static let (set, held, shares) = ("set", "held", "shares")

  init(_ task: FederatedTask) {
    self.task = task
    count = task.layout.parameterCount
    bits = FedMaskWire.bits(task)
    buffer = .allocate(byteCount: BitCodes.byteCount(count, bits: bits), alignment: 8)
    buffer.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit { buffer.deallocate() }

  /// The most clients that a share can be of: their numbers take 32 bits at most.
  static let largestCohort = 0xFFFF

  /// Bytes of a download.
  static func shareBytes(_ task: FederatedTask) -> Int {
    BitCodes.byteCount(task.layout.parameterCount, bits: bits(task))
  }

  private static func bits(_ task: FederatedTask) -> Int {
    BitCodes.bits(of: (task.largestCohort + 1) * (task.largestCohort + 2) / 2)
  }

  /// The number of the share s of h.
  static func code(_ set: UInt32, of holders: UInt32) -> UInt32 {
    UInt32(truncatingIfNeeded: UInt64(holders) * (UInt64(holders) + 1) / 2) + set
  }

  /// The share that a number stands for, −1 where there is none; nil for one that no server has.
  private func share(_ code: UInt32) -> Float? {
    if code == 0 { return -1 }
    var holders = UInt32(((8 * Double(code) + 1).squareRoot() - 1) / 2)
    // The root may be rounded to either side.
    if FedMaskWire.code(0, of: holders) > code { holders -= 1 }
    if FedMaskWire.code(0, of: holders + 1) <= code { holders += 1 }
    guard 2...UInt32(task.largestCohort) ~= holders else { return nil }
    return Float(code - FedMaskWire.code(0, of: holders)) / Float(holders)
  }

  /// effective ← frozen weights whose share is above ½ or unknown, else 0.
  static func gate(
    _ frozen: UnsafePointer<Float>, by shares: UnsafePointer<Float>, into effective: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    for i in 0..<count { effective[i] = shares[i] < 0 || shares[i] > 0.5 ? frozen[i] : 0 }
  }

  // MARK: Downloads

  /// Shares by their numbers, the bits of a UInt32 each.
  func packed(_ codes: Storage) -> SafetensorsWriter.Part {
    if let base = buffer.baseAddress {
      BitCodes.pack(count: count, bits: bits, into: base) { codes.base[$0].bitPattern }
    }
    return SafetensorsWriter.Part(
      name: FedMaskWire.shares, type: .uint8, shape: [buffer.count], bytes: UnsafeRawBufferPointer(buffer))
  }

  /// Broadcast ← shares, with the frozen weights drawn anew.
  func take(_ download: SafetensorsView, into broadcast: Broadcast) throws(DataError) {
    let found = try download.bytes(FedMaskWire.shares, .uint8, count: buffer.count)
    guard let codes = found.baseAddress else { return }
    try download.requireClean(FedMaskWire.shares, found, count: count, bits: bits)
    var isFaulty = false
    BitCodes.forEach(codes, count: count, bits: bits) { _, code in isFaulty = isFaulty || share(code) == nil }
    if isFaulty { throw download.unsuitable(FedMaskWire.shares, "has one of more than \(task.largestCohort) clients") }
    KaimingNormal.write(broadcast.model, seed: task.seed)
    let (frozen, shares) = (broadcast.blocks[0], broadcast.blocks[1])
    frozen.copy(from: broadcast.model.parameters)
    BitCodes.forEach(codes, count: count, bits: bits) { place, code in shares.base[place] = share(code) ?? -1 }
    FedMaskWire.gate(frozen.base, by: shares.base, into: broadcast.model.parameters.base, count)
  }

  // MARK: Uploads

  /// A bit for each weight, and one for each that the client has.
  func packed(_ upload: Upload) -> [SafetensorsWriter.Part] {
    let (set, held) = (upload.bits(0), upload.bits(1))
    var entries = 0
    buffer.initializeMemory(as: UInt8.self, repeating: 0)
    for i in 0..<count where held[i >> 3] >> UInt8(i & 7) & 1 == 1 {
      if set[i >> 3] >> UInt8(i & 7) & 1 == 1 { buffer[entries >> 3] |= 1 << UInt8(entries & 7) }
      entries += 1
    }
    let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<SignBits.byteCount(entries)])
    return [
      SafetensorsWriter.Part(name: FedMaskWire.set, type: .uint8, shape: [bytes.count], bytes: bytes),
      upload.packed(1),
    ]
  }

  /// An upload ← both.
  func unpack(_ packed: SafetensorsView, into upload: Upload) throws(DataError) {
    try upload.copy(1, from: packed)
    let (set, held) = (upload.bits(0), upload.bits(1))
    let entries = held.baseAddress.map { SignBits.positives($0, count: count) } ?? 0
    let found = try packed.bytes(FedMaskWire.set, .uint8, count: SignBits.byteCount(entries))
    try packed.requireClean(FedMaskWire.set, found, count: entries)
    set.initializeMemory(as: UInt8.self, repeating: 0)
    var entry = 0
    for i in 0..<count where held[i >> 3] >> UInt8(i & 7) & 1 == 1 {
      if found[entry >> 3] >> UInt8(entry & 7) & 1 == 1 { set[i >> 3] |= 1 << UInt8(i & 7) }
      entry += 1
    }
  }
}
