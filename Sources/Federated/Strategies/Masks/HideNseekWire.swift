import Compression
import Configuration
import Datasets
import Layers
import Tensors

/// How ``HideNseek``'s server tells what votes have come to, and how clients make of it what the server has.
///
/// What followers are sent is kept as it travels and goes into checkpoints: the ballots m, in the mode `change` the mean scale
/// of each layer, and for each kept weight the number of its votes for +1 in ⌈log₂(m+1)⌉ bits, m the most that there may be;
/// with `hard` nothing but a sign bit.  Others are sent all latents in the mode `change`, and else the same; and the mask,
/// where they cannot rebuild it.
final class HideNseekWire {
  private let strategy: HideNseek
  private let task: FederatedTask
  private let sizes: Sizes
  /// The head, then the codes.
  let told: Storage
  /// Latents of kept weights, or scratch for steps.
  private let packed: Storage
  private let mask: UnsafeMutableRawBufferPointer

  /// How much is told, which configuration and model decide.
  struct Sizes {
    /// k.
    let kept: Int
    /// Bits of a code: a count of votes, or a sign.
    let bits: Int
    /// Float32 before the codes: the ballots and the scales of layers; none with `hard`.
    let head: Int
    /// Bytes of the mask where clients cannot rebuild it, else 0.
    let mask: Int
    private let tellsLatents: Bool

    init(_ strategy: HideNseek, _ task: FederatedTask) {
      let full = PruningMask(task.layout)
      kept = Pruning.keptCount(of: full.prunableCount, density: strategy.density)
      tellsLatents = strategy.mode == .change
      let isHard = !tellsLatents && strategy.tally == .hard
      bits = isHard ? 1 : BitCodes.bits(of: task.largestCohort + 1)
      head = isHard ? 0 : 1 + (tellsLatents ? full.prunable.count : 0)
      mask = type(of: strategy.criterion).needsSamples ? full.byteCount : 0
    }

    /// Bytes of the codes.
    var codes: Int { BitCodes.byteCount(kept, bits: bits) }

    /// Bytes of a download to a client that took part in the round before, and to one that did not.
    var download: (follower: Int, other: Int) {
      let step = 4 * head + codes
      return (step, (tellsLatents ? 4 * kept : step) + mask)
    }
  }

  init(_ strategy: HideNseek, _ task: FederatedTask) {
    self.strategy = strategy
    self.task = task
    sizes = Sizes(strategy, task)
    told = Storage(zeros: sizes.head + (sizes.codes + 3) / 4)
    packed = Storage(zeros: task.layout.parameterCount)
    mask = .allocate(byteCount: sizes.mask, alignment: 8)
    mask.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit { mask.deallocate() }

  private var kept: Int { sizes.kept }
  private var bits: Int { sizes.bits }
  private var head: Int { sizes.head }
  private var codeBytes: Int { sizes.codes }
  private var codes: UnsafeMutableRawPointer { UnsafeMutableRawPointer(told.base + head) }
  private var scales: UnsafeMutablePointer<Float> { told.base + 1 }

  private static let (ballots, scales, votes, latent, keep) = ("ballots", "scales", "votes", "latent", "mask")

  // MARK: The server's side

  /// Keeps what a round's votes came to.
  func tell(_ sum: VoteSum, scales: UnsafePointer<Float>?) {
    let (votes, ballots) = (sum.votes, Int32(sum.ballots))
    precondition(ballots <= task.largestCohort, "\(ballots) votes of a cohort of \(task.largestCohort)")
    told.base[0] = Float(ballots)
    if let scales { self.scales.update(from: scales, count: head - 1) }
    BitCodes.pack(count: kept, bits: bits, into: codes) { UInt32(truncatingIfNeeded: (votes[$0] + ballots) / 2) }
  }

  /// Keeps the signs of latents, all that is told of a majority.
  func tellSigns(_ latent: Storage, _ weights: FrozenWeights) {
    weights.gather(latent.base, into: packed.base)
    SignBits.pack(packed.base, count: kept, into: codes)
  }

  /// Keeps what comes before any vote: one for +1, as latents begin in the mode `votes`, and without a scale.
  func begin() {
    if head > 0 { told.base[0] = 1 }
    BitCodes.pack(count: kept, bits: bits, into: codes) { _ in 1 }
  }

  /// Keeps that nothing has moved.
  func skip() { if strategy.mode == .change { scales.update(repeating: 0, count: head - 1) } }

  /// The tensors of a download.
  func download(_ kind: DownloadKind, _ latent: Storage, _ weights: FrozenWeights) -> [SafetensorsWriter.Part] {
    var parts: [SafetensorsWriter.Part] = []
    if kind == .whole, strategy.mode == .change {
      weights.gather(latent.base, into: packed.base)
      parts.append(SafetensorsWriter.Part(name: HideNseekWire.latent, shape: [kept], floats: packed.base))
    } else {
      if head > 0 { parts.append(SafetensorsWriter.Part(name: HideNseekWire.ballots, shape: [1], floats: told.base)) }
      if head > 1 {
        parts.append(SafetensorsWriter.Part(name: HideNseekWire.scales, shape: [head - 1], floats: scales))
      }
      parts.append(
        SafetensorsWriter.Part(
          name: HideNseekWire.votes, type: .uint8, shape: [codeBytes],
          bytes: UnsafeRawBufferPointer(start: codes, count: codeBytes)))
    }
    if kind == .whole, mask.count > 0 {
      mask.initializeMemory(as: UInt8.self, repeating: 0)
      var place = 0
      for range in PruningMask(task.layout).prunable {
        for i in range {
          if weights.weights.base[i] != 0 { mask[place >> 3] |= 1 << UInt8(place & 7) }
          place += 1
        }
      }
      parts.append(
        SafetensorsWriter.Part(
          name: HideNseekWire.keep, type: .uint8, shape: [mask.count], bytes: UnsafeRawBufferPointer(mask)))
    }
    return parts
  }

  // MARK: The client's side

  /// Broadcast ← the server's.  Throws for what no server makes, and for a step before anything whole.
  func take(_ download: SafetensorsView, _ kind: DownloadKind, into broadcast: Broadcast) throws(DataError) {
    let (frozen, latent) = (broadcast.blocks[0], broadcast.blocks[1])
    let weights = try kind == .whole ? weights(download, broadcast) : FrozenWeights(frozen, task.layout)
    guard weights.indices.count == kept else {
      throw DataError(.unsuitable, "\(download.name) is about \(kept) weights, where \(weights.indices.count) are kept")
    }
    if kind == .whole, strategy.mode == .change {
      let found = try download.bytes(HideNseekWire.latent, .float32, count: kept)
      frozen.copy(from: weights.weights)
      latent.clear()
      for (place, index) in weights.indices.enumerated() {
        latent.base[Int(index)] = found.loadUnaligned(fromByteOffset: 4 * place, as: Float.self)
      }
      packed.clear()
      return move(latent, by: packed, frozen, broadcast)
    }
    let votes = try codes(download)
    let (ballots, scales) = try head > 0 ? head(download, votes) : (1, [])
    frozen.copy(from: weights.weights)
    switch strategy.mode {
    case .change:
      packed.clear()
      var layer = 0
      BitCodes.forEach(votes, count: kept, bits: bits) { place, code in
        while place >= weights.layers[layer].upperBound { layer += 1 }
        let unit = Double(scales[layer]) / Double(ballots)
        packed.base[Int(weights.indices[place])] = Float(Double(2 * Int(code) - ballots) * unit)
      }
      move(latent, by: packed, frozen, broadcast)
    case .votes:
      let unit = Double(strategy.alpha) / Double(ballots)
      latent.clear()
      BitCodes.forEach(votes, count: kept, bits: bits) { place, code in
        latent.base[Int(weights.indices[place])] = Float(Double(2 * Int(code) - ballots) * unit)
      }
      SignForward.apply(latent.base, frozen.base, into: broadcast.model.parameters.base, latent.count)
    }
  }

  private func move(_ latent: Storage, by step: Storage, _ frozen: Storage, _ broadcast: Broadcast) {
    BoundedSignStep.move(
      latent.base, along: step.base, scaledBy: 1, within: frozen.base, into: broadcast.model.parameters.base,
      latent.count)
  }

  /// The codes of all kept weights.
  private func codes(_ download: SafetensorsView) throws(DataError) -> UnsafeRawPointer {
    let found = try download.bytes(HideNseekWire.votes, .uint8, count: codeBytes)
    try download.requireClean(HideNseekWire.votes, found, count: kept, bits: bits)
    // Never nil: a weight is kept.
    return found.baseAddress.unsafelyUnwrapped
  }

  /// Ballots and scales that fit some codes.
  private func head(
    _ download: SafetensorsView, _ codes: UnsafeRawPointer
  ) throws(DataError) -> (ballots: Int, scales: [Float]) {
    var ballots: Float = 0
    try withUnsafeMutableBytes(of: &ballots) { (bytes) throws(DataError) in
      bytes.copyMemory(from: try download.bytes(HideNseekWire.ballots, .float32, count: 1))
    }
    guard let count = Int(exactly: ballots), count >= 1,
      BitCodes.largest(codes, count: kept, bits: bits) <= count
    else { throw download.unsuitable(HideNseekWire.ballots, "is \(ballots), and a weight has more votes") }
    if head == 1 { return (count, []) }
    let found = try download.bytes(HideNseekWire.scales, .float32, count: head - 1)
    let scales = (0..<head - 1).map { found.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    guard scales.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
      throw download.unsuitable(HideNseekWire.scales, "has a scale that is no length")
    }
    return (count, scales)
  }

  /// The weights that the server has drawn and kept, drawn anew.
  private func weights(_ download: SafetensorsView, _ broadcast: Broadcast) throws(DataError) -> FrozenWeights {
    let drawn = ParameterStore(task.layout)
    KaimingNormal.write(drawn, seed: task.seed)
    var mask = PruningMask(task.layout)
    if self.mask.isEmpty {
      do throws(ConfigurationError) {
        mask = try strategy.criterion.prune(drawn, density: strategy.density, task)
      } catch { throw DataError(.unsuitable, error.message) }
    } else {
      let found = try download.bytes(HideNseekWire.keep, .uint8, count: self.mask.count)
      try download.requireClean(HideNseekWire.keep, found, count: mask.prunableCount)
      var place = 0
      for range in mask.prunable {
        for i in range {
          mask[i] = found[place >> 3] >> UInt8(place & 7) & 1 == 1
          place += 1
        }
      }
    }
    mask.apply(to: drawn.parameters.base)
    return FrozenWeights(drawn.parameters, task.layout)
  }
}
