/// Transposes row-major matrices.
enum Transposition {
  /// y[c, r] = x[r, c]; 16 columns at a time, so that reads are whole vectors and writes stay within 16 lines.
  @inline(never)
  static func transpose(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, rows: Int, columns: Int) {
    var c = 0
    while c &+ 16 <= columns {
      let target = y + (c &* rows)
      var r = 0
      while r < rows {
        let row = x + (r &* columns &+ c)
        for j in 0..<16 { target[j &* rows &+ r] = row[j] }
        r &+= 1
      }
      c &+= 16
    }
    while c < columns {
      let target = y + (c &* rows)
      var r = 0
      while r < rows {
        target[r] = x[r &* columns &+ c]
        r &+= 1
      }
      c &+= 1
    }
  }
}
