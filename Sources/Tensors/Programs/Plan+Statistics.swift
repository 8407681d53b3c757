extension Plan {
  /// The layers whose batch normalisation sees a single value of each channel of the batch, in order.
  public var layersNormalisingOneValue: [String] {
    step.compactMap { planned in
      guard let operation = planned.instruction.operation as? BatchNorm, operation.options.rows == 1,
        operation.options.statistics == .shard
      else { return nil }
      return planned.instruction.scope
    }
  }
}
