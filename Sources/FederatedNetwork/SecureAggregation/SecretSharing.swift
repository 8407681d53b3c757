import CGFShare
import CSodium

/// Shamir's secret sharing (1979) of 32 bytes over GF(2⁸), byte by byte, by libgfshare: any T shares yield the secret, fewer say
/// nothing about it.
package enum SecretSharing {
  /// The library's source of randomness, set once: libsodium's.
  private static let isReady: Void = {
    NetworkLibraries.begin()
    gfshare_fill_with { target, count in if let target { randombytes_buf(target, Int(count)) } }
  }()

  /// Shares 1…count of a secret, written at a place of each target.
  package static func split(_ secret: Secret, threshold: Int, into targets: [Secret], at place: Int) {
    precondition(
      threshold >= 1 && threshold <= targets.count && targets.count <= 255, "\(threshold) of \(targets.count)")
    _ = isReady
    var numbers = (1...targets.count).map { UInt8($0) }
    guard let context = gfshare_ctx_init_enc(&numbers, UInt32(numbers.count), UInt8(threshold), UInt32(Secret.bytes))
    else { preconditionFailure("libgfshare has no memory") }
    // Overwrites what it has.
    defer { gfshare_ctx_free(context) }
    secret.withBytes { gfshare_ctx_enc_setsecret(context, $0) }
    for (number, target) in targets.enumerated() {
      target.withBytes { gfshare_ctx_enc_getshare(context, UInt8(number), $0 + place) }
    }
  }

  /// What shares of different numbers yield: the secret, if they are at least T and right.
  package static func join(_ shares: [(number: UInt8, bytes: [UInt8])]) -> Secret {
    precondition(!shares.isEmpty && shares.allSatisfy { $0.number > 0 && $0.bytes.count == Secret.bytes }, "no shares")
    _ = isReady
    var numbers = shares.map(\.number)
    guard let context = gfshare_ctx_init_dec(&numbers, UInt32(numbers.count), UInt32(Secret.bytes)) else {
      preconditionFailure("libgfshare has no memory")
    }
    defer { gfshare_ctx_free(context) }
    for (place, share) in shares.enumerated() {
      var bytes = share.bytes
      gfshare_ctx_dec_giveshare(context, UInt8(place), &bytes)
    }
    return Secret { gfshare_ctx_dec_extract(context, $0) }
  }

  /// The secret of shares of which some may be wrong, and the places of those that are; nil where no T right ones are found.
  ///
  /// Takes the first T places of rings of every start and step, whose length is a prime: up to two wrong shares are next to
  /// each other on one of them, so that they never hide T right ones, and more hardly.  Each share is then judged in the
  /// company of T − 1 right ones.  Cost: one interpolation where all are right, of the order of shares² where too many are not.
  package static func recover(
    _ shares: [(number: UInt8, bytes: [UInt8])], threshold: Int, _ isRight: (Secret) -> Bool
  ) -> (secret: Secret, wrong: [Int])? {
    precondition(threshold >= 1 && threshold <= shares.count, "\(threshold) of \(shares.count) shares")
    let length = primeLength(shares.count)
    // Without a share to spare every ring has the same.
    let rings = shares.count == threshold ? (steps: 1, starts: 1) : (steps: max(1, length / 2), starts: length)
    for step in 1...rings.steps {
      for start in 0..<rings.starts {
        let ring = (0..<length).lazy.map { (start + $0 * step) % length }.filter { $0 < shares.count }
        let places = Array(ring.prefix(threshold))
        let secret = join(places.map { shares[$0] })
        guard isRight(secret) else { continue }
        let company = places.dropLast().map { shares[$0] }
        let wrong = shares.indices.filter { place in
          !places.contains(place) && !isRight(join(company + [shares[place]]))
        }
        return (secret, wrong)
      }
    }
    return nil
  }

  /// The least prime of at least 2 that is no smaller.
  private static func primeLength(_ count: Int) -> Int {
    var length = max(2, count)
    while (2..<length).contains(where: { length % $0 == 0 }) { length += 1 }
    return length
  }
}
