import Datasets
import Federated
import Tensors

/// A client's part in one masked round: keys and shares while it trains, then its input under masks, then shares again.
final class MaskedVisit {
  /// Name of the tensor of a masked input.
  static let tensor = "masked"

  let round: Int
  /// What its keys are bound to.
  let federation: [UInt8]
  private let secure: SecureClient
  private let words: Int
  /// Whether it knows whom it shares masks with, so that its input can be masked.
  private(set) var isOpen = false

  /// A part in a round of so many clients, which can be masked.
  init(
    _ order: OrderBody, among clients: Int, _ masking: (options: SecureAggregationOptions, words: Int),
    federation: [UInt8], _ options: ClientOptions
  ) {
    round = order.order.round
    words = masking.words
    self.federation = federation
    secure = SecureClient(
      options.client,
      SecureRound(masking.options, federation: federation, round: round, cohort: clients, words: words),
      identity: options.keys?.own, publicKeys: options.others)
  }

  /// The first message.
  var advertisement: (kind: UInt8, bytes: [UInt8]) { (KeyAdvertisement.kind, secure.advertise().bytes) }

  /// Takes a message of the server; the answer, where there is one.
  func answer(_ kind: UInt64, _ bytes: [UInt8]) throws(SecureAggregationError) -> (kind: UInt8, bytes: [UInt8])? {
    switch kind {
    case UInt64(NeighbourKeys.kind): return (SharedSecrets.kind, try secure.share(NeighbourKeys(bytes)).bytes)
    case UInt64(DeliveredShares.kind):
      return (OpenedShares.kind, try secure.open(DeliveredShares(bytes)).bytes)
    case UInt64(MaskPartners.kind):
      try secure.pair(MaskPartners(bytes))
      isOpen = true
      return nil
    case UInt64(SurvivorList.kind): return (RevealedShares.kind, try secure.reveal(SurvivorList(bytes)).bytes)
    default: return nil
    }
  }

  /// The input of a visit under masks; nil where it cannot be summed.
  func input(_ client: any VisitingClient, _ order: VisitOrder) throws(SecureAggregationError) -> SafetensorsImage? {
    let words = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: words)
    defer { words.deallocate() }
    guard client.quantise(order, into: words) else { return nil }
    try secure.mask(words)
    return SafetensorsImage([
      .init(
        name: MaskedVisit.tensor, type: .uint64, shape: [words.count], bytes: UnsafeRawBufferPointer(words))
    ])
  }
}
