import CZlib
import Foundation
import Tensors

extension CatalogEntry {
  /// The digits that are part of the program.
  package static let digits = CatalogEntry(
    name: "digits", summary: "1,797 handwritten digits, 8x8 pixels, 10 classes", licence: "CC BY 4.0",
    isBuiltIn: true, isImages: true
  ) { _, image in
    { (_, _) throws(DataError) in try Digits.parts(image) }
  }
}

/// Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak, UCI Machine Learning Repository 1998, CC BY 4.0): its
/// test set, the one scikit-learn distributes.
///
/// There is no official split of these; a fixed fifth of them (359), drawn by key, is the test part.
package enum Digits {
  /// Samples in all.
  package static let count = 1797

  /// All digits in their original order; pixels 0...16 are divided by 16.
  package static func source(_ normalisation: Normalisation = .identity) throws(DataError) -> ImageSource {
    let size = count * 65
    guard let packed = Data(base64Encoded: DigitsPixels.encoded, options: .ignoreUnknownCharacters) else {
      throw DataError(.malformed, "the built-in digits are damaged; build the program again")
    }
    var bytes = [UInt8](repeating: 0, count: size)
    var length = UInt(size)
    let status = packed.withUnsafeBytes { source in
      uncompress(&bytes, &length, source.bindMemory(to: UInt8.self).baseAddress, UInt(source.count))
    }
    guard status == Z_OK, length == size else {
      throw DataError(.malformed, "the built-in digits are damaged; build the program again")
    }
    return ImageSource(
      pixels: Array(bytes[..<(count * 64)]), shape: [8, 8, 1], labels: bytes[(count * 64)...].map { Int32($0) },
      classes: 10, scale: 16, normalisation: normalisation)
  }

  static func parts(_ image: ImageOptions) throws(DataError) -> Parts {
    let source = try source(try image.normalisation(.identity, channels: 1))
    var parts = try Parts.split(source, test: 0.2, path: "digits")
    parts.classNames = (0..<10).map(String.init)
    parts.black = source.black
    return parts
  }
}
