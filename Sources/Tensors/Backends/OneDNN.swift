import COneDNN

/// What the calls of oneDNN share.
public enum OneDNN {
  /// The version of the library, as `2.6.0`.
  public static var version: String {
    guard let version = dnnl_version()?.pointee else { return "?" }
    return "\(version.major).\(version.minor).\(version.patch)"
  }

  /// The largest instruction set that it uses on this CPU.
  public static var instructionSet: String {
    switch dnnl_get_effective_cpu_isa() {
    case dnnl_cpu_isa_sse41: "SSE4.1"
    case dnnl_cpu_isa_avx: "AVX"
    case dnnl_cpu_isa_avx2: "AVX2"
    case dnnl_cpu_isa_avx2_vnni: "AVX2, VNNI"
    case dnnl_cpu_isa_avx512_core: "AVX-512"
    case dnnl_cpu_isa_avx512_core_vnni: "AVX-512, VNNI"
    case dnnl_cpu_isa_avx512_core_bf16: "AVX-512, bfloat16"
    case dnnl_cpu_isa_avx512_core_amx: "AVX-512, AMX"
    default: "all there is"
    }
  }

  /// Whether it multiplies bfloat16 by instructions of the processor.
  static var multipliesBFloat16: Bool {
    switch dnnl_get_effective_cpu_isa() {
    case dnnl_cpu_isa_avx512_core_bf16, dnnl_cpu_isa_avx512_core_amx, dnnl_cpu_isa_all: true
    default: false
    }
  }

  /// An engine: immutable once made, and oneDNN lets all threads use it.
  struct Engine: @unchecked Sendable {
    let handle: dnnl_engine_t
  }

  /// The CPU, for the whole process.
  static let engine: Engine = {
    var handle: dnnl_engine_t?
    expect(dnnl_engine_create(&handle, dnnl_cpu, 0), "its CPU engine")
    return Engine(handle: handle!)
  }()

  /// Stops where oneDNN refuses: shapes were checked before, so that a refusal is a mistake in this module.
  static func expect(_ status: dnnl_status_t, _ what: @autoclosure () -> String) {
    precondition(status == dnnl_success, "oneDNN refuses \(what()) (status \(status.rawValue))")
  }
}

/// The logical extents of an array and how oneDNN lays them out.
struct MemoryFormat: @unchecked Sendable {  // plain numbers, never changed
  fileprivate(set) var description: dnnl_memory_desc_t

  fileprivate init(_ description: dnnl_memory_desc_t) { self.description = description }

  /// Scalars in a named layout; `dnnl_format_tag_any` leaves the layout to the primitive.
  init(_ dimensions: [Int], _ tag: dnnl_format_tag_t, _ precision: Compute.Precision = .float32) {
    let type = precision == .bfloat16 ? dnnl_bf16 : dnnl_f32
    description = dnnl_memory_desc_t()
    OneDNN.expect(
      dnnl_memory_desc_init_by_tag(
        &description, Int32(dimensions.count), dimensions.map(Int64.init), type, tag), "an array of \(dimensions)")
  }

  /// Memory that an array of this format takes.
  var bytes: Int {
    withUnsafePointer(to: description) { dnnl_memory_desc_get_size($0) }
  }

  /// Whether two arrays of the formats can share memory.
  func isSame(as other: MemoryFormat) -> Bool {
    withUnsafePointer(to: description) { mine in
      withUnsafePointer(to: other.description) { dnnl_memory_desc_equal(mine, $0) != 0 }
    }
  }
}

/// A compiled oneDNN operation; executing it changes nothing in it, so that all threads share one.
///
/// Its scratch memory is the caller's, which is what makes sharing safe and keeps a step free of allocations.
final class Primitive: @unchecked Sendable {  // oneDNN's primitives are immutable
  fileprivate let handle: dnnl_primitive_t
  private let description: dnnl_primitive_desc_t

  /// Takes the description over.
  private init(_ description: dnnl_primitive_desc_t, _ what: String) {
    self.description = description
    var handle: dnnl_primitive_t?
    OneDNN.expect(dnnl_primitive_create(&handle, description), what)
    self.handle = handle!
  }

  deinit {
    dnnl_primitive_destroy(handle)
    dnnl_primitive_desc_destroy(description)
  }

  /// Attributes of every primitive: scratch memory comes from the caller.  Work is divided among threads when a primitive is
  /// made, not when it runs, so the making thread must be limited to one.
  private static func withAttributes<Result>(
    accumulates: Bool = false, _ body: (dnnl_primitive_attr_t) -> Result
  ) -> Result {
    LibraryThreads.limitToOne()
    var attributes: dnnl_primitive_attr_t?
    OneDNN.expect(dnnl_primitive_attr_create(&attributes), "attributes")
    defer { dnnl_primitive_attr_destroy(attributes) }
    OneDNN.expect(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user), "user scratchpads")
    if accumulates {
      var operations: dnnl_post_ops_t?
      OneDNN.expect(dnnl_post_ops_create(&operations), "what follows an operation")
      defer { dnnl_post_ops_destroy(operations) }
      OneDNN.expect(dnnl_post_ops_append_sum(operations, 1), "a sum")
      OneDNN.expect(dnnl_primitive_attr_set_post_ops(attributes, operations), "a sum")
    }
    return body(attributes!)
  }

  /// The operation that a descriptor such as `dnnl_convolution_desc_t` asks for; backward ones name their forward one.
  /// `accumulates` adds the result to what is there.  The implementation is oneDNN's choice unless it has a `preferred` one.
  static func make<Descriptor>(
    _ descriptor: Descriptor, hint: Primitive? = nil, accumulates: Bool = false, preferred: String? = nil,
    _ what: String
  ) -> Primitive {
    withAttributes(accumulates: accumulates) { attributes in
      withUnsafePointer(to: descriptor) { descriptor in
        if let preferred, let found = named(preferred, descriptor, attributes, hint, what) { return found }
        var description: dnnl_primitive_desc_t?
        OneDNN.expect(
          dnnl_primitive_desc_create(
            &description, descriptor, attributes, OneDNN.engine.handle, hint?.description), what)
        return Primitive(description!, what)
      }
    }
  }

  /// The implementation of a name; nil if there is none for this shape or processor.
  private static func named(
    _ name: String, _ descriptor: UnsafeRawPointer, _ attributes: dnnl_primitive_attr_t, _ hint: Primitive?,
    _ what: String
  ) -> Primitive? {
    var iterator: dnnl_primitive_desc_iterator_t?
    OneDNN.expect(
      dnnl_primitive_desc_iterator_create(
        &iterator, descriptor, attributes, OneDNN.engine.handle, hint?.description), what)
    defer { dnnl_primitive_desc_iterator_destroy(iterator) }
    repeat {
      let candidate = dnnl_primitive_desc_iterator_fetch(iterator)!
      if implementation(candidate) == name { return Primitive(candidate, what) }
      dnnl_primitive_desc_destroy(candidate)
    } while dnnl_primitive_desc_iterator_next(iterator) == dnnl_success
    return nil
  }

  /// A copy from one layout to another.
  static func reorder(from source: MemoryFormat, to target: MemoryFormat) -> Primitive {
    withAttributes { attributes in
      var description: dnnl_primitive_desc_t?
      var (source, target) = (source.description, target.description)
      OneDNN.expect(
        dnnl_reorder_primitive_desc_create(
          &description, &source, OneDNN.engine.handle, &target, OneDNN.engine.handle, attributes), "a reorder")
      return Primitive(description!, "a reorder")
    }
  }

  /// The layout of an argument, such as the one chosen for `dnnl_format_tag_any`.
  func format(_ query: dnnl_query_t, _ index: Int32 = 0) -> MemoryFormat {
    MemoryFormat(dnnl_primitive_desc_query_md(description, query, index)!.pointee)
  }

  /// The layout of the scratch memory.
  fileprivate var scratch: MemoryFormat { format(dnnl_query_scratchpad_md) }

  /// Scratch memory that an execution needs.
  var scratchBytes: Int { scratch.bytes }

  /// Name of the implementation that oneDNN chose, such as `jit:avx512_core`.
  var implementation: String { Primitive.implementation(description) }

  private static func implementation(_ description: dnnl_primitive_desc_t) -> String {
    var name: UnsafePointer<CChar>?
    withUnsafeMutablePointer(to: &name) {
      OneDNN.expect(dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, $0), "a name")
    }
    return name.map { String(cString: $0) } ?? "?"
  }
}

/// A primitive with the memory objects of one executor, which are not shareable.
final class PrimitiveCall {
  private let primitive: Primitive
  private let stream: dnnl_stream_t
  private let arguments: UnsafeMutablePointer<dnnl_exec_arg_t>
  private let places: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  private let count: Int
  private let scratchArgument: Int?

  /// A call whose arguments (`DNNL_ARG_…`) are numbered in the order given; none points anywhere yet.
  init(_ primitive: Primitive, _ formats: [(name: Int32, format: MemoryFormat)]) {
    self.primitive = primitive
    var stream: dnnl_stream_t?
    OneDNN.expect(
      dnnl_stream_create(&stream, OneDNN.engine.handle, UInt32(dnnl_stream_default_flags.rawValue)), "a stream")
    self.stream = stream!
    var formats = formats
    scratchArgument = primitive.scratchBytes > 0 ? formats.count : nil
    if scratchArgument != nil { formats.append((DNNL_ARG_SCRATCHPAD, primitive.scratch)) }
    count = formats.count
    arguments = .allocate(capacity: count)
    places = .allocate(capacity: count)
    places.initialize(repeating: nil, count: count)
    for (index, (name, format)) in formats.enumerated() {
      var memory: dnnl_memory_t?
      var description = format.description
      OneDNN.expect(dnnl_memory_create(&memory, &description, OneDNN.engine.handle, nil), "a memory object")
      (arguments + index).initialize(to: dnnl_exec_arg_t(arg: name, memory: memory))
    }
  }

  deinit {
    for index in 0..<count { dnnl_memory_destroy(arguments[index].memory) }
    dnnl_stream_destroy(stream)
    arguments.deallocate()
    places.deallocate()
  }

  /// Says where an argument lies in this run.
  @inline(__always)
  func place(_ argument: Int, _ address: UnsafeMutableRawPointer) {
    guard places[argument] != address else { return }
    places[argument] = address
    OneDNN.expect(dnnl_memory_set_data_handle(arguments[argument].memory, address), "an address")
  }

  /// Runs it; `scratch` is read only if the primitive needs scratch memory.
  @inline(__always)
  func execute(scratch: UnsafeMutableRawPointer) {
    if let scratchArgument { place(scratchArgument, scratch) }
    OneDNN.expect(
      dnnl_primitive_execute(primitive.handle, stream, Int32(truncatingIfNeeded: count), arguments),
      primitive.implementation)
  }
}

extension Operand {
  /// A place `bytes` further on.
  func advanced(by bytes: Int) -> Operand { Operand(space: space, offset: offset + bytes) }
}
