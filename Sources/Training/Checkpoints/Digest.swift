import Datasets
import Tensors

/// The digest that says whether two runs ended with the same bits.
public enum Digest {
  /// SHA-256, in hexadecimal, of the parameter block (Float32 little-endian, order of declaration), then of shared state
  /// such as prototypes, in the order given.  One pass over memory.
  public static func parameters(_ store: ParameterStore, then shared: [Storage] = []) -> String {
    blocks([store.parameters] + shared)
  }

  /// SHA-256, in hexadecimal, of blocks one after the other.
  public static func blocks(_ blocks: [Storage]) -> String {
    var checksum = Checksum()
    for block in blocks { checksum.update(UnsafeRawBufferPointer(block.scalars)) }
    return checksum.hexadecimal()
  }

  /// SHA-256, in hexadecimal, of a text in UTF-8: of a configuration, for example.
  public static func text(_ text: String) -> String {
    var checksum = Checksum()
    checksum.update(Array(text.utf8))
    return checksum.hexadecimal()
  }
}
