/// Y P for the targets Y of each row, one-hot for classes (none for −1), and a given matrix P.
struct TargetProjection: Operation {
  let name = "target projection"
  let rows: Int
  /// Targets of a row, whose one-hot codes stand one after the other: 1 for values.
  let terms: Int
  /// Codes of a target.
  let outputs: Int
  let width: Int
  /// How many times each row's result is written, one after the other.
  let repeats: Int
  /// Times the run's target weight; nil to leave the product as it is.
  let factor: Float?

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    (inputs[0].type == .int32 ? 1 : 2 * self.outputs) * rows * terms * width
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let (isClasses, product) = (inputs[0].type == .int32, MatrixProduct(compute))
    let stride = repeats * width
    return Lowering { at in
      let (targets, matrix, y) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in
        let (p, result) = (run[matrix], run[y])
        let scale = factor.map { $0 * run.targetWeight } ?? 1
        if isClasses {
          let classes = run.integers(targets)
          for row in 0..<rows {
            let sum = result + row &* stride
            for term in 0..<terms {
              let label = Int(classes[row &* terms &+ term])
              // A target without class has no code.
              if label < 0 {
                if term == 0 { sum.update(repeating: 0, count: width) }
                continue
              }
              let code = p + (term &* self.outputs &+ label) &* width
              if term == 0 {
                Elementwise.scale(code, by: scale, into: sum, width)
              } else {
                var i = 0
                while i < width {
                  sum[i] += scale * code[i]
                  i &+= 1
                }
              }
            }
          }
        } else {
          product(
            run[targets], lda: self.outputs, p, ldb: width, into: result, ldc: stride, m: rows, n: width,
            k: self.outputs, alpha: scale)
        }
        if repeats == 1 { return }
        for row in 0..<rows {
          let first = result + row &* stride
          for copy in 1..<repeats { (first + copy &* width).update(from: first, count: width) }
        }
      }
    }
  }
}

extension Recorder {
  /// Y P: what a given matrix `[codes, width]` makes of targets, one-hot for Int32 classes, values as they are.
  ///
  /// `rows` of the batch have targets of their own, in order; where a row has several classes, their one-hot codes stand one
  /// after the other.  The result is `[rows · repeats, width]`, each row `repeats` times; times `factor` and the run's target
  /// weight, unless `factor` is nil.  No gradient flows.
  public func projection(
    of targets: Value, _ matrix: Value, rows: Int, repeats: Int = 1, factor: Float? = nil
  ) -> Value {
    let (codes, width) = (shape(matrix)[0], shape(matrix)[1])
    let terms = self[targets].type == .int32 ? shape(targets).count / rows : 1
    precondition(
      rows > 0 && repeats > 0 && shape(targets).count % rows == 0 && codes % terms == 0
        && (self[targets].type == .int32 || shape(targets).count == rows * codes),
      "targets \(shape(targets)) in \(rows) rows through \(shape(matrix))")
    return append(
      TargetProjection(
        rows: rows, terms: terms, outputs: codes / terms, width: width, repeats: repeats, factor: factor),
      [targets, matrix], [.new([rows * repeats, width])])[0]
  }

  /// e B: gradients of outputs `[…, codes]` through a given matrix `[codes, width]`, as `[rows, width]`.
  public func projection(ofError error: Value, _ matrix: Value) -> Value {
    let (codes, width) = (shape(matrix)[0], shape(matrix)[1])
    precondition(shape(error).count % codes == 0, "errors \(shape(error)) through \(shape(matrix))")
    let rows = shape(error).count / codes
    return append(
      LinearInputGradient(rows: rows, inputs: width, outputs: codes), [factor(error), factor(matrix)],
      [.new([rows, width])])[0]
  }
}
