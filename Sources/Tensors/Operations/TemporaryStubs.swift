/// x
public enum RecurrentCell: String, CaseIterable, Sendable {
  case tanh, lstm, gru
  /// x
  public var gates: Int { 1 }
}
extension Recorder {
  /// x
  public func addPositions(_ x: Value, _ p: Value) -> Value { preconditionFailure() }
  /// x
  public func recurrent(_ x: Value, _ cell: RecurrentCell, weightInput: Value, weightHidden: Value, biasInput: Value, biasHidden: Value) -> Value { preconditionFailure() }
  /// x
  public func lastStep(_ x: Value) -> Value { preconditionFailure() }
  /// x
  public func concatenate(_ x: [Value]) -> Value { preconditionFailure() }
}
