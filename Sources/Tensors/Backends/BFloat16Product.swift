import COneDNN

/// C = op(A) op(B) (+ bias of a column) for row-major matrices: A and B bfloat16, sums, bias and C Float32.
struct BFloat16Product {
  let m: Int
  let n: Int
  let k: Int
  /// A is stored k×m.
  var transposeA = false
  /// B is stored n×k.
  var transposeB = false
  var hasBias = false
  /// Adds to what C holds.
  var accumulates = false

  /// Inputs are A, B and a bias if there is one; the output is C.
  func lowering() -> Lowering {
    let formats = (
      MemoryFormat([m, k], transposeA ? dnnl_ba : dnnl_ab, .bfloat16),
      MemoryFormat([k, n], transposeB ? dnnl_ba : dnnl_ab, .bfloat16), MemoryFormat([m, n], dnnl_ab),
      MemoryFormat([1, n], dnnl_ab)
    )
    var descriptor = dnnl_matmul_desc_t()
    var (a, b, c, bias) = (
      formats.0.description, formats.1.description, formats.2.description, formats.3.description
    )
    let what = "a product of \(m)×\(k) and \(k)×\(n)"
    OneDNN.expect(
      hasBias
        ? dnnl_matmul_desc_init(&descriptor, &a, &b, &bias, &c) : dnnl_matmul_desc_init(&descriptor, &a, &b, nil, &c),
      what)
    let primitive = Primitive.make(descriptor, accumulates: accumulates, what)
    let hasBias = hasBias
    return Lowering(scratchBytes: primitive.scratchBytes) { at in
      let call = PrimitiveCall(
        primitive,
        [(DNNL_ARG_SRC_0, formats.0), (DNNL_ARG_WEIGHTS_0, formats.1), (DNNL_ARG_DST_0, formats.2)]
          + (hasBias ? [(DNNL_ARG_BIAS, formats.3)] : []))
      let (a, b, c, scratch) = (at.inputs[0], at.inputs[1], at.outputs[0], at.scratch)
      let bias = hasBias ? at.inputs[2] : a
      return { run in
        call.place(0, run.bytes(a))
        call.place(1, run.bytes(b))
        call.place(2, run.bytes(c))
        if hasBias { call.place(3, run.bytes(bias)) }
        call.execute(scratch: run.bytes(scratch))
      }
    }
  }
}
