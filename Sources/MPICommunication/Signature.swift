import Communication

/// The tags of a collective's messages: its number, and what it is.
///
/// Because the call stands in the tag, messages of calls that contradict each other never meet, and a rank that waits
/// in vain can look for what its peer has sent instead.
struct Signature: Equatable {
  let kind: Exchange.Kind
  let type: ElementType
  let reduction: Reduction

  init(_ exchange: Exchange) {
    kind = exchange.kind
    type = exchange.type
    reduction = exchange.reduction
  }

  private init(_ kind: Exchange.Kind, _ type: ElementType, _ reduction: Reduction) {
    self.kind = kind
    self.type = type
    self.reduction = reduction
  }

  /// Every signature a collective can have.
  static let all: [Signature] = {
    var all: [Signature] = [Signature(.barrier, .uint8, .sum)]
    for type in ElementType.allCases {
      for kind in [Exchange.Kind.broadcast, .allGather, .allToAll] { all.append(Signature(kind, type, .sum)) }
      for reduction in Reduction.allCases {
        all.append(Signature(.allReduce, type, reduction))
        all.append(Signature(.reduceScatter, type, reduction))
      }
    }
    return all
  }()

  private static let bits = 8
  private var code: Int { Int(kind.rawValue) << 5 | Int(type.rawValue) << 2 | Int(reduction.rawValue) }

  /// The tag of the n-th collective; numbers wrap around at what `largestTag` leaves room for.
  func tag(number: Int, largestTag: Int) -> CInt {
    let numbers = (largestTag + 1) >> Signature.bits
    return CInt((number % numbers) << Signature.bits | code)
  }

  /// "all-reduce (sum) of Float".
  var described: String {
    switch kind {
    case .barrier: "barrier"
    case .allReduce, .reduceScatter: "\(kind.name) (\(reduction.name)) of \(type.name)"
    default: "\(kind.name) of \(type.name)"
    }
  }
}
