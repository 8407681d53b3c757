/// The candidate a mistyped word most likely meant, or nil when nothing is close.
///
/// The distance counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment; Damerau
/// 1964), ignoring case and taking `_` for `-`.  Close means at most a third of the longer word.  The first of equals wins.
/// Work: product of the two lengths for each candidate; words beyond 64 characters are not compared.
public func nearest(_ word: String, among candidates: [String]) -> String? {
  let wanted = folded(word)
  guard !wanted.isEmpty, wanted.count <= 64 else { return nil }
  var best: (distance: Int, candidate: String)?
  for candidate in candidates {
    let other = folded(candidate)
    guard other.count <= 64 else { continue }
    let distance = editDistance(wanted, other)
    guard distance <= max(1, max(wanted.count, other.count) / 3), distance < max(wanted.count, other.count) else {
      continue
    }
    if best == nil || distance < best!.distance { best = (distance, candidate) }
  }
  return best?.candidate
}

private func folded(_ word: String) -> [Character] {
  word.lowercased().map { $0 == "_" ? "-" : $0 }
}

private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
  if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
  var beforeLast = [Int](repeating: 0, count: b.count + 1)
  var last = Array(0...b.count)
  var row = last
  for i in 1...a.count {
    row[0] = i
    for j in 1...b.count {
      let replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
      row[j] = min(last[j] + 1, row[j - 1] + 1, replaced)
      if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
        row[j] = min(row[j], beforeLast[j - 2] + 1)
      }
    }
    (beforeLast, last, row) = (last, row, beforeLast)
  }
  return last[b.count]
}
