import Configuration

/// A compressor with its options, as a configuration names it.
public struct CompressorChoice: Sendable {
  /// Its name.
  public let name: String
  /// Whether what it leaves out is to be kept and added to the next vector (``ErrorFeedback``).
  public let keepsRest: Bool
  /// Whether E ‖C(x) − x‖² is below ‖x‖² for every x: where this does not hold, errors that are fed back may grow.
  public let contracts: Bool
  /// Makes one for vectors of at most so many scalars; an object serves one thread.
  public let make: @Sendable (_ capacity: Int) -> any Compressor

  init(
    _ name: String, keepsRest: Bool = false, contracts: Bool = true,
    make: @escaping @Sendable (_ capacity: Int) -> any Compressor
  ) {
    self.name = name
    self.keepsRest = keepsRest
    self.contracts = contracts
    self.make = make
  }
}

/// A compressor that a configuration can name.
public struct CompressorKind: Sendable {
  /// The name in configurations.
  public let name: String
  /// Reads its options.
  public let read: @Sendable (inout Options) throws(ConfigurationError) -> CompressorChoice

  init(_ name: String, read: @escaping @Sendable (inout Options) throws(ConfigurationError) -> CompressorChoice) {
    self.name = name
    self.read = read
  }
}

/// The compressors that stand for themselves, whoever sends: those of federated uploads and downloads.
///
/// The rounding error of ``QSGD`` is at most min(B / (4 s²), √B / s) of the square of the norm (Alistarh et al. 2017, lemma 3.1,
/// with a variance of at most ¼ a level).
public enum CompressorCatalog {
  /// All of them.
  public static let all: [CompressorKind] = [
    CompressorKind("float16") { _ in CompressorChoice("float16") { _ in Float16Rounding() } },
    CompressorKind("bfloat16") { _ in CompressorChoice("bfloat16") { _ in BFloat16Rounding() } },
    CompressorKind("qsgd") { (options) throws(ConfigurationError) in
      let code = try QSGD(options: &options)
      let (bucket, levels) = (Double(code.bucket), Double(code.levels))
      let variance = min(bucket / (4 * levels * levels), bucket.squareRoot() / levels)
      return CompressorChoice("qsgd", contracts: variance < 1) { _ in code }
    },
    CompressorKind("terngrad") { (options) throws(ConfigurationError) in
      let code = try TernGrad(options: &options)
      return CompressorChoice("terngrad", contracts: false) { _ in code }
    },
    CompressorKind("top-k") { (options) throws(ConfigurationError) in
      let read = try TopKOptions(&options)
      return CompressorChoice("top-k", keepsRest: read.feedback) { _ in TopK(ratio: read.ratio) }
    },
    CompressorKind("random-k") { (options) throws(ConfigurationError) in
      let read = try RandomKOptions(&options)
      return CompressorChoice("random-k", keepsRest: !read.isUnbiased, contracts: !read.isUnbiased) { capacity in
        RandomK(ratio: read.ratio, capacity: capacity, isUnbiased: read.isUnbiased)
      }
    },
    CompressorKind("sign-feedback") { _ in CompressorChoice("sign-feedback", keepsRest: true) { _ in ScaledSign() } },
  ]

  /// Reads a key that names a compressor or `none`, which is nil.
  public static func read(
    _ key: String, _ options: inout Options, _ help: String
  ) throws(ConfigurationError) -> CompressorChoice? {
    let none = "none"
    return try options.named(key, of: [none] + all.map(\.name), default: none, help) {
      (name, options) throws(ConfigurationError) in try all.first { $0.name == name }?.read(&options)
    }
  }
}
