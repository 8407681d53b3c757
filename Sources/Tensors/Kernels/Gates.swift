/// The element-wise parts of recurrent cells, over rows of one time step.
///
/// Pointers are to the first sample; rows of gates, states and outputs of the next sample lie `gateStride` and
/// `stateStride` scalars further, those of scratch memory `width` (for gates three or four times that).
enum Gates {
  /// Turns gates i, f, g, o in place into their values and makes c = f c′ + i g and h = o tanh c.
  @inline(never)
  static func lstm(
    _ gates: UnsafeMutablePointer<Float>, before: UnsafePointer<Float>?, cell: UnsafeMutablePointer<Float>,
    _ output: UnsafeMutablePointer<Float>, batch: Int, width: Int, gateStride: Int, stateStride: Int
  ) {
    for sample in 0..<batch {
      let i = gates + sample &* gateStride
      let (f, g, o) = (i + width, i + 2 &* width, i + 3 &* width)
      let (c, h) = (cell + sample &* stateStride, output + sample &* stateStride)
      for k in 0..<2 &* width { i[k] = Elementary.sigmoid(i[k]) }
      for k in 0..<width { g[k] = Elementary.tanh(g[k]) }
      for k in 0..<width { o[k] = Elementary.sigmoid(o[k]) }
      if let before {
        let past = before + sample &* stateStride
        for k in 0..<width { c[k] = f[k] * past[k] + i[k] * g[k] }
      } else {
        for k in 0..<width { c[k] = i[k] * g[k] }
      }
      for k in 0..<width { h[k] = o[k] * Elementary.tanh(c[k]) }
    }
  }

  /// Gradients of the sums that gates i, f, g, o were made of.  `carryH` holds what later steps say of h, `carryC` of c;
  /// `carryC` then holds what this step says of c′.
  @inline(never)
  static func lstmGradient(
    _ gates: UnsafePointer<Float>, before: UnsafePointer<Float>?, cell: UnsafePointer<Float>,
    _ doutput: UnsafePointer<Float>, into dgates: UnsafeMutablePointer<Float>, carryH: UnsafePointer<Float>,
    carryC: UnsafeMutablePointer<Float>, batch: Int, width: Int, gateStride: Int, stateStride: Int
  ) {
    for sample in 0..<batch {
      let i = gates + sample &* gateStride
      let (f, g, o) = (i + width, i + 2 &* width, i + 3 &* width)
      let di = dgates + sample &* gateStride
      let (df, dg, dO) = (di + width, di + 2 &* width, di + 3 &* width)
      let (c, dy) = (cell + sample &* stateStride, doutput + sample &* stateStride)
      let (dh, dc) = (carryH + sample &* width, carryC + sample &* width)
      for k in 0..<width {
        let gradient = dy[k] + dh[k]
        let t = Elementary.tanh(c[k])
        dO[k] = gradient * t * (o[k] * (1 - o[k]))
        dc[k] += gradient * o[k] * (1 - t * t)
      }
      for k in 0..<width { di[k] = dc[k] * g[k] * (i[k] * (1 - i[k])) }
      for k in 0..<width { dg[k] = dc[k] * i[k] * (1 - g[k] * g[k]) }
      if let before {
        let past = before + sample &* stateStride
        for k in 0..<width { df[k] = dc[k] * past[k] * (f[k] * (1 - f[k])) }
      } else {
        for k in 0..<width { df[k] = 0 * dc[k] }
      }
      for k in 0..<width { dc[k] *= f[k] }
    }
  }

  /// Turns gates r, z, n in place into their values, given their parts from h′ in `hidden`, and makes
  /// h = (1 − z) n + z h′.  `kept` gets the part of n from h′, which r multiplies.
  @inline(never)
  static func gru(
    _ gates: UnsafeMutablePointer<Float>, hidden: UnsafePointer<Float>, before: UnsafePointer<Float>?,
    kept: UnsafeMutablePointer<Float>, _ output: UnsafeMutablePointer<Float>, batch: Int, width: Int, gateStride: Int,
    stateStride: Int
  ) {
    for sample in 0..<batch {
      let r = gates + sample &* gateStride
      let (z, n) = (r + width, r + 2 &* width)
      let part = hidden + sample &* 3 &* width
      let (keep, h) = (kept + sample &* stateStride, output + sample &* stateStride)
      for k in 0..<2 &* width { r[k] = Elementary.sigmoid(r[k] + part[k]) }
      keep.update(from: part + 2 &* width, count: width)
      for k in 0..<width { n[k] = Elementary.tanh(n[k] + r[k] * keep[k]) }
      if let before {
        let past = before + sample &* stateStride
        for k in 0..<width { h[k] = (1 - z[k]) * n[k] + z[k] * past[k] }
      } else {
        for k in 0..<width { h[k] = (1 - z[k]) * n[k] }
      }
    }
  }

  /// Gradients of the sums that gates r, z, n were made of: of their parts from x in `dgates`, from h′ in `dhidden`, which
  /// differ in n.  `carry` holds what later steps say of h, then what this step says of h′ past the gates.
  @inline(never)
  static func gruGradient(
    _ gates: UnsafePointer<Float>, before: UnsafePointer<Float>?, kept: UnsafePointer<Float>,
    _ doutput: UnsafePointer<Float>, into dgates: UnsafeMutablePointer<Float>, _ dhidden: UnsafeMutablePointer<Float>,
    carry: UnsafeMutablePointer<Float>, batch: Int, width: Int, gateStride: Int, stateStride: Int
  ) {
    for sample in 0..<batch {
      let r = gates + sample &* gateStride
      let (z, n) = (r + width, r + 2 &* width)
      let (dr, er) = (dgates + sample &* gateStride, dhidden + sample &* gateStride)
      let (dz, dn, en) = (dr + width, dr + 2 &* width, er + 2 &* width)
      let (keep, dy) = (kept + sample &* stateStride, doutput + sample &* stateStride)
      let dh = carry + sample &* width
      for k in 0..<width { dh[k] += dy[k] }
      for k in 0..<width { dn[k] = dh[k] * (1 - z[k]) * (1 - n[k] * n[k]) }
      if let before {
        let past = before + sample &* stateStride
        for k in 0..<width { dz[k] = dh[k] * (past[k] - n[k]) * (z[k] * (1 - z[k])) }
      } else {
        for k in 0..<width { dz[k] = -dh[k] * n[k] * (z[k] * (1 - z[k])) }
      }
      for k in 0..<width { dr[k] = dn[k] * keep[k] * (r[k] * (1 - r[k])) }
      for k in 0..<width { en[k] = dn[k] * r[k] }
      er.update(from: dr, count: 2 &* width)
      for k in 0..<width { dh[k] *= z[k] }
    }
  }
}
