import CProcessor

/// What this program is.
enum Version {
  static let number = "0.1.0"

  /// The version and the CPU that it was compiled for.
  static var text: String { "nndist \(number) (\(String(cString: nndist_compiled_instructions())))" }
}
