import Compression
import Datasets
import Tensors

/// How ``LotteryFL``'s clients say what they keep: a bit for each weight that can be pruned, and the change of what is kept, then
/// of states.
final class LotteryWire {
  /// Ranges of parameters, and whether they can be pruned.
  private let ranges: [(range: Range<Int>, isPrunable: Bool)]
  private let weights: PruningMask
  private let bits: UnsafeMutableRawBufferPointer
  private let packed: Storage

  init(_ task: FederatedTask, _ plan: FederatedPlan) {
    weights = PruningMask(task.layout)
    ranges = task.layout.parameters.map { ($0.range, $0.shape.rank > 1) }
    bits = .allocate(byteCount: weights.byteCount, alignment: 8)
    packed = Storage(zeros: plan.shared.count)
  }

  deinit { bits.deallocate() }

  /// The upload as it travels.
  func packed(_ upload: Upload) -> [SafetensorsWriter.Part] {
    let (change, mask) = (upload.scalars(0), upload.bits(1))
    bits.initializeMemory(as: UInt8.self, repeating: 0)
    var (weight, kept) = (0, 0)
    for (range, isPrunable) in ranges {
      for i in range {
        let isKept = mask[i >> 3] >> UInt8(i & 7) & 1 == 1
        if isKept {
          packed.base[kept] = change[i]
          kept += 1
        }
        if !isPrunable { continue }
        if isKept { bits[weight >> 3] |= 1 << UInt8(weight & 7) }
        weight += 1
      }
    }
    for i in weights.count..<change.count {
      packed.base[kept] = change[i]
      kept += 1
    }
    return [
      SafetensorsWriter.Part(name: upload.parts[0].name, shape: [kept], floats: packed.base),
      SafetensorsWriter.Part(
        name: upload.parts[1].name, type: .uint8, shape: [bits.count], bytes: UnsafeRawBufferPointer(bits)),
    ]
  }

  /// An upload ← what was packed: zeros for what is not kept.
  func unpack(_ view: SafetensorsView, into upload: Upload) throws(DataError) {
    let (change, mask) = (upload.scalars(0), upload.bits(1))
    let names = upload.parts.map(\.name)
    let kept = try view.bytes(names[1], .uint8, count: weights.byteCount)
    try view.requireClean(names[1], kept, count: weights.prunableCount)
    let live = kept.reduce(0) { $0 + $1.nonzeroBitCount }
    let scalars = try view.bytes(names[0], .float32, count: live + change.count - weights.prunableCount)
    mask.initializeMemory(as: UInt8.self, repeating: 0)
    change.update(repeating: 0)
    var (weight, place) = (0, 0)
    for (range, isPrunable) in ranges {
      for i in range {
        if isPrunable {
          weight += 1
          if kept[(weight - 1) >> 3] >> UInt8((weight - 1) & 7) & 1 == 0 { continue }
        }
        mask[i >> 3] |= 1 << UInt8(i & 7)
        change[i] = scalars.loadUnaligned(fromByteOffset: 4 * place, as: Float.self)
        place += 1
      }
    }
    for i in weights.count..<change.count {
      change[i] = scalars.loadUnaligned(fromByteOffset: 4 * place, as: Float.self)
      place += 1
    }
  }
}
