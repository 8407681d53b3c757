extension SecureServer {
  /// Whether every secret that the sum needs has T shares, so that nobody else must be waited for.
  public var isUnmaskable: Bool {
    stage == .unmasking && (try? require(Set(revealed.keys), of: inputs.count, at: .unmasking)) != nil
  }

  /// The sum of the survivors' inputs modulo 2⁶⁴, valid as long as the server is.
  ///
  /// Recovers the seeds of survivors and the mask keys of those who dropped after sharing, checks each by what its owner has
  /// said of it before, and takes the masks out.  Wrong shares are left out and named in ``suspects`` as long as T right ones
  /// are there; otherwise it throws and names whose secret cannot be recovered.  Cost: one pass of ChaCha20 for each survivor,
  /// one for each surviving neighbour of each that dropped; T² byte operations for each share of a secret.
  public func unmask() throws(SecureAggregationError) -> UnsafeBufferPointer<UInt64> {
    try begin(closing: .unmasking)
    try require(Set(revealed.keys), of: inputs.count, at: .unmasking)
    let shares = sharesByOwner()
    let stream = MaskStream()
    for client in partners.keys.sorted() {
      guard let party = party(client), let message = secrets[client] else { continue }
      let secret = try recover(client, shares[client] ?? []) { [inputs, round] secret in
        inputs.contains(client)
          ? PairKeys.commitment(secret, of: party, round) == message.commitment
          : secret.isCanonicalKey && secret.publicKey == party.keys.mask
      }
      if inputs.contains(client) {
        stream.apply(PairKeys.ownMask(secret, of: party, round), to: sum, subtracting: true)
      } else {
        try removeMasks(of: party, secret, stream)
      }
    }
    return UnsafeBufferPointer(sum)
  }

  /// What its neighbours have masked with a client that dropped: neighbour i added PRG(s_ij) where j < i, and subtracted it
  /// where j > i.
  private func removeMasks(of dropped: SecureParty, _ secret: Secret, _ stream: MaskStream)
    throws(SecureAggregationError)
  {
    for other in partners[dropped.client] ?? [] where inputs.contains(other) {
      guard let party = party(other) else { continue }
      guard let key = PairKeys.mask(secret, of: dropped, with: party, round) else {
        throw SecureAggregationError(.malformed, client: other, "client \(other) advertised a key that is none")
      }
      stream.apply(key, to: sum, subtracting: dropped.client < other)
    }
  }

  private typealias HeldShare = (holder: Int, bytes: [UInt8])

  /// The revealed shares of each client's one secret, by holder.
  private func sharesByOwner() -> [Int: [HeldShare]] {
    var shares: [Int: [HeldShare]] = [:]
    for (holder, message) in revealed.sorted(by: { $0.key < $1.key }) {
      for share in message.seeds + message.keys { shares[share.client, default: []].append((holder, share.bytes)) }
    }
    return shares
  }

  private func recover(_ client: Int, _ shares: [HeldShare], _ isRight: (Secret) -> Bool)
    throws(SecureAggregationError) -> Secret
  {
    guard let graph else { preconditionFailure("secrets without a graph") }
    let numbered = shares.map { (number: graph.shareNumber(of: client, heldBy: $0.holder), bytes: $0.bytes) }
    guard let (secret, wrong) = SecretSharing.recover(numbered, threshold: round.threshold, isRight) else {
      let what = inputs.contains(client) ? "seed" : "mask key"
      let holders = shares.map { String($0.holder) }.joined(separator: ", ")
      throw SecureAggregationError(
        .forged, client: client,
        "the \(what) of client \(client) cannot be recovered: its shares, or some of those that clients \(holders) hold, "
          + "are wrong")
    }
    for place in wrong { suspects.append((holder: shares[place].holder, of: client)) }
    return secret
  }
}
