import Configuration

public struct DeviceModel: Sendable {
  public init(options: inout Options) throws(ConfigurationError) {}
  init() {}
  public static let ideal = DeviceModel()
  public var isIdeal: Bool { true }
  public var overSelection: Double { 1 }
  public var deadline: Double? { nil }
  public func isAvailable(_ client: Int, at seconds: Double, round: Int, seed: UInt64) -> Bool { true }
  public func vanishes(_ client: Int, round: Int, seed: UInt64) -> Bool { false }
  public func seconds(_ client: Int, samples: Int, bytesDown: Int, bytesUp: Int, seed: UInt64) -> Double { 0 }
  public func finish(_ durations: [Double], wanted: Int, into accepted: inout [Int32]) -> Double { 0 }
}
