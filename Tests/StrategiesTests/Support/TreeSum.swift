import Strategies

/// The sum of leaves by the definition, T[a, b) = T[a, m) + T[m, b), where m − a is the largest power of two below b − a.
/// Written without looking at `ShardTree`.
func treeSum(_ leaves: ArraySlice<[Float]>) -> [Float] {
  if leaves.count == 1 { return leaves[leaves.startIndex] }
  var half = 1
  while 2 * half < leaves.count { half *= 2 }
  let left = treeSum(leaves[leaves.startIndex..<leaves.startIndex + half])
  let right = treeSum(leaves[(leaves.startIndex + half)...])
  return zip(left, right).map { $0 + $1 }
}

/// Numbers of very different sizes and both signs, so that the order of additions shows in the bits.
func awkwardNumbers(_ count: Int, seed: Int) -> [Float] {
  var state = UInt64(bitPattern: Int64(seed &* 7_919 &+ 17)) &* 0x9E37_79B9_7F4A_7C15 | 1
  return (0..<count).map { _ in
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    let mantissa = Float(state >> 40) / Float(1 << 24) - 0.5
    return mantissa * Float(sign: .plus, exponent: Int(state & 15) - 8, significand: 1)
  }
}

extension Array<Float> {
  var bits: [UInt32] { map(\.bitPattern) }
}
