import Glibc

/// A block of Float32 scalars aligned to 64 bytes: the only type that owns numeric memory.
///
/// `@unchecked Sendable`: the pointer never changes; who may write which range when is decided by whoever shares it.
public final class Storage: @unchecked Sendable {
  /// The first scalar.
  public let base: UnsafeMutablePointer<Float>
  /// Scalars in the block.
  public let count: Int
  private let release: (() -> Void)?

  /// Bytes every block is aligned to: a cache line, and the width of an AVX-512 register.
  public static let alignment = 64

  /// Large blocks lie in large pages where the kernel has them: fewer walks of page tables for whoever streams them.
  private static let largePage = 1 << 21

  /// A block of `count` zeros that this object owns.
  public init(zeros count: Int) {
    precondition(count >= 0, "a block of \(count) scalars")
    let bytes = max(count * MemoryLayout<Float>.stride, Storage.alignment)
    let isLarge = bytes >= 2 * Storage.largePage
    let raw = UnsafeMutableRawPointer.allocate(
      byteCount: bytes, alignment: isLarge ? Storage.largePage : Storage.alignment)
    if isLarge { madvise(raw, bytes, MADV_HUGEPAGE) }
    base = raw.initializeMemory(as: Float.self, repeating: 0, count: bytes / MemoryLayout<Float>.stride)
    self.count = count
    release = { raw.deallocate() }
  }

  /// A view of memory owned elsewhere, such as a shared window or a mapped file; `release` runs when the view dies.
  public init(wrapping base: UnsafeMutablePointer<Float>, count: Int, release: (() -> Void)? = nil) {
    self.base = base
    self.count = count
    self.release = release
  }

  deinit { release?() }

  /// The scalars of the block.
  public var scalars: UnsafeMutableBufferPointer<Float> { UnsafeMutableBufferPointer(start: base, count: count) }

  /// Sets every scalar to zero.
  public func clear() { base.update(repeating: 0, count: count) }

  /// Copies all scalars of a block of the same size.
  public func copy(from other: Storage) {
    precondition(count == other.count, "copying \(other.count) scalars into \(count)")
    base.update(from: other.base, count: count)
  }
}
