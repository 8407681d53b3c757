import COpenBLAS

/// OpenBLAS, loaded when first asked for.
///
/// Debian's build (0.3.21) takes AVX2 kernels on CPUs newer than itself although they run AVX-512, at half the speed.  The
/// choice is made once, when the library is loaded, so `OPENBLAS_CORETYPE` is set before; `NNDIST_OPENBLAS_CORETYPE`
/// overrides.
public struct OpenBLAS: Sendable {
  /// C ← α op(A) op(B) + β C.
  let sgemm:
    @convention(c) (
      Int32, Int32, Int32, Int32, Int32, Int32, Float, UnsafePointer<Float>?, Int32, UnsafePointer<Float>?, Int32,
      Float,
      UnsafeMutablePointer<Float>?, Int32
    ) -> Void
  /// The kernels it took: `SkylakeX`, `Haswell`, ….
  public let coreType: String
  /// Its version, and how it was built, in its own words.
  public let configuration: String

  /// The library, or why it could not be loaded.
  public static let loaded: Result<OpenBLAS, LibraryError> = Result { () throws(LibraryError) in try load() }

  private static func load() throws(LibraryError) -> OpenBLAS {
    if let core = getenv("NNDIST_OPENBLAS_CORETYPE") {
      setenv("OPENBLAS_CORETYPE", core, 1)
    } else if nndist_cpu_has_avx512() != 0 {
      setenv("OPENBLAS_CORETYPE", "SkylakeX", 1)
    }
    setenv("OPENBLAS_NUM_THREADS", "1", 1)
    guard let library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL) else {
      throw LibraryError(message: "OpenBLAS cannot be loaded (\(String(cString: dlerror()))); install libopenblas-dev")
    }
    guard let sgemm = dlsym(library, "cblas_sgemm"), let threads = dlsym(library, "openblas_set_num_threads"),
      let core = dlsym(library, "openblas_get_corename"), let configuration = dlsym(library, "openblas_get_config")
    else { throw LibraryError(message: "libopenblas.so.0 lacks cblas_sgemm; install Debian's libopenblas-dev") }
    unsafeBitCast(threads, to: nndist_openblas_set_num_threads.self)(1)
    return OpenBLAS(
      sgemm: unsafeBitCast(sgemm, to: nndist_cblas_sgemm.self),
      coreType: String(cString: unsafeBitCast(core, to: nndist_openblas_get_text.self)()!),
      configuration: String(cString: unsafeBitCast(configuration, to: nndist_openblas_get_text.self)()!))
  }
}

/// A library that the machine lacks or that failed: exit code 1.
public struct LibraryError: Error, CustomStringConvertible, Sendable {
  /// What failed and what to do.
  public let message: String
  /// The message.
  public var description: String { message }
}
