/// Multi-head self-attention softmax(Q Kᵀ / √d) V over packed rows of query, key and value (Vaswani et al. 2017).
///
/// Works on 64 queries of one head at a time, so that the scores stay in cache and are never stored; the gradient makes
/// them again from each row's log sum (Dao et al. 2022).  Blocks of keys that a causal mask hides are skipped.
struct Attention: Operation {
  let name = "attention"
  let geometry: Geometry

  /// Sizes, and where heads lie in packed rows `[batch, time, 3 · width]`.
  struct Geometry: Sendable {
    let batch: Int
    let time: Int
    let width: Int
    let heads: Int
    let causal: Bool

    var headWidth: Int { width / heads }
    var scale: Float { Float(1 / Double(headWidth).squareRoot()) }
    var stride: Int { AttentionRows.stride(time) }
    /// Scalars of one block of scores.
    var blockCount: Int { min(AttentionRows.block, time) * stride }
    /// Products of queries and keys, at 2 · headWidth operations each.
    var pairs: Int { batch * heads * (causal ? time * (time + 1) / 2 : time * time) }

    /// Calls `body` with the first query, the number of queries and of keys of each block.
    @inline(__always)
    func blocks(backwards: Bool = false, _ body: (_ first: Int, _ rows: Int, _ keys: Int) -> Void) {
      let count = (time &+ AttentionRows.block &- 1) / AttentionRows.block
      for index in 0..<count {
        let first = (backwards ? count &- 1 &- index : index) &* AttentionRows.block
        let rows = min(AttentionRows.block, time &- first)
        body(first, rows, causal ? first &+ rows : time)
      }
    }
  }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    4 * geometry.pairs * geometry.headWidth
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let (g, product) = (geometry, MatrixProduct(compute))
    return Lowering(scratchBytes: (g.blockCount + AttentionRows.block) * 4) { at in
      let (packed, y, logSums, scratch) = (at.inputs[0], at.outputs[0], at.outputs[1], at.scratch)
      return { run in
        let (d, row, scores) = (g.headWidth, 3 &* g.width, run[scratch])
        let inverses = scores + g.blockCount
        for sample in 0..<g.batch {
          for head in 0..<g.heads {
            let query = run[packed] + (sample &* g.time &* row &+ head &* d)
            let (key, value) = (query + g.width, query + 2 &* g.width)
            let result = run[y] + (sample &* g.time &* g.width &+ head &* d)
            let logs = run[logSums] + (sample &* g.heads &+ head) &* g.time
            g.blocks { first, rows, keys in
              product(
                query + first &* row, lda: row, key, transposeB: true, ldb: row, into: scores, ldc: g.stride, m: rows,
                n: keys, k: d, alpha: g.scale)
              AttentionRows.softmax(
                scores, rows: rows, keys: keys, stride: g.stride, visible: first &+ 1, causal: g.causal,
                inverses: inverses, logSums: logs + first)
              let target = result + first &* g.width
              product(
                scores, lda: g.stride, value, ldb: row, into: target, ldc: g.width, m: rows, n: d, k: keys)
              AttentionRows.scale(target, by: inverses, rows: rows, columns: d, stride: g.width)
            }
          }
        }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    let packed = call.inputs[0]
    let dpacked = recorder.append(
      AttentionGradient(geometry: geometry), [packed, call.outputs[0], call.outputs[1], gradient],
      [.new(recorder.shape(packed))])
    recorder.contribute(dpacked[0], to: packed)
  }
}

/// The gradient of packed query, key and value rows.
struct AttentionGradient: Operation {
  let name = "attention gradient"
  let geometry: Attention.Geometry

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    10 * geometry.pairs * geometry.headWidth
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let (g, product) = (geometry, MatrixProduct(compute))
    return Lowering(scratchBytes: (2 * g.blockCount + AttentionRows.block) * 4) { at in
      let (packed, y, logSums, dy) = (at.inputs[0], at.inputs[1], at.inputs[2], at.inputs[3])
      let (dpacked, scratch) = (at.outputs[0], at.scratch)
      return { run in
        let (d, row, scores) = (g.headWidth, 3 &* g.width, run[scratch])
        let (gradients, products) = (scores + g.blockCount, scores + 2 &* g.blockCount)
        for sample in 0..<g.batch {
          for head in 0..<g.heads {
            let start = sample &* g.time &* row &+ head &* d
            let (query, dquery) = (run[packed] + start, run[dpacked] + start)
            let (key, value) = (query + g.width, query + 2 &* g.width)
            let (dkey, dvalue) = (dquery + g.width, dquery + 2 &* g.width)
            let narrow = sample &* g.time &* g.width &+ head &* d
            let logs = run[logSums] + (sample &* g.heads &+ head) &* g.time
            // The last block sees every key, so it writes the gradients of keys and values and the others add.
            g.blocks(backwards: true) { first, rows, keys in
              let (result, dresult) = (run[y] + narrow + first &* g.width, run[dy] + narrow + first &* g.width)
              let beta: Float = first &+ rows == g.time ? 0 : 1
              product(
                query + first &* row, lda: row, key, transposeB: true, ldb: row, into: scores, ldc: g.stride, m: rows,
                n: keys, k: d, alpha: g.scale)
              product(
                dresult, lda: g.width, value, transposeB: true, ldb: row, into: gradients, ldc: g.stride, m: rows,
                n: keys, k: d)
              AttentionRows.dots(result, dresult, into: products, rows: rows, columns: d, stride: g.width)
              AttentionRows.softmaxGradient(
                scores, gradients, rows: rows, keys: keys, stride: g.stride, visible: first &+ 1, causal: g.causal,
                scale: g.scale, logSums: logs + first, products: products)
              product(
                scores, transposeA: true, lda: g.stride, dresult, ldb: g.width, into: dvalue, ldc: row, m: keys, n: d,
                k: rows, beta: beta)
              product(
                gradients, lda: g.stride, key, ldb: row, into: dquery + first &* row, ldc: row, m: rows, n: d, k: keys)
              product(
                gradients, transposeA: true, lda: g.stride, query + first &* row, ldb: row, into: dkey, ldc: row,
                m: keys, n: d, k: rows, beta: beta)
            }
          }
        }
      }
    }
  }
}

extension Recorder {
  /// Self-attention of `heads` heads: `packed` is `[batch, time, 3 · width]`, in each row query, key and value, each the
  /// heads one after the other; the result is `[batch, time, width]`.
  ///
  /// Scores are scaled by 1/√(width / heads); with `causal`, a position sees itself and what came before.
  public func attention(_ packed: Value, heads: Int, causal: Bool) -> Value {
    let from = shape(packed)
    precondition(
      from.rank == 3 && heads > 0 && from[2] % (3 * heads) == 0 && from.count > 0,
      "attention of \(heads) heads over \(from)")
    let geometry = Attention.Geometry(
      batch: from[0], time: from[1], width: from[2] / 3, heads: heads, causal: causal)
    return append(
      Attention(geometry: geometry), [packed],
      [.new([from[0], from[1], from[2] / 3]), .new([from[0], heads, from[1]])])[0]
  }
}
