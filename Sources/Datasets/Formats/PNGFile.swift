import CPNG

/// A PNG image as one byte of grey a pixel, read by libpng's simplified interface, which returns where others jump.
package struct PNGFile {
  /// Pixels of a row.
  package let width: Int
  /// Rows.
  package let height: Int
  /// Grey of each pixel, row after row; 0 is black.
  package let pixels: [UInt8]

  /// Most pixels of an image, against hostile headers.
  private static let limit = 1 << 26

  /// Decodes an image; `path` is for messages.
  package init(_ bytes: UnsafeRawBufferPointer, path: String) throws(DataError) {
    var image = png_image()
    image.version = png_uint_32(PNG_IMAGE_VERSION)
    defer { png_image_free(&image) }
    guard png_image_begin_read_from_memory(&image, bytes.baseAddress, bytes.count) != 0 else {
      throw DataError.malformed(path, "not a PNG image (\(PNGFile.reason(&image))); get the file again")
    }
    width = Int(image.width)
    height = Int(image.height)
    guard width > 0, height > 0, width <= PNGFile.limit / height else {
      throw DataError.malformed(path, "absurd extents \(width)x\(height); get the file again")
    }
    image.format = png_uint_32(PNG_FORMAT_GRAY)
    var pixels = [UInt8](repeating: 0, count: width * height)
    guard png_image_finish_read(&image, nil, &pixels, Int32(width), nil) != 0 else {
      throw DataError.malformed(path, "corrupt PNG (\(PNGFile.reason(&image))); get the file again")
    }
    self.pixels = pixels
  }

  private static func reason(_ image: inout png_image) -> String {
    withUnsafeBytes(of: image.message) { message in
      String(decoding: message.prefix { $0 != 0 }, as: UTF8.self)
    }
  }
}
