/// Which noise a stream of `RandomPurpose.noise` is: federated uses have numbers of their own beside layers'.
enum NoiseStream {
  static let update = UInt64(1) << 62
  static let count = update + 1
  static let attack = update + 2
  static let pruning = update + 3
  static let coins = update + 4
}
