/// Which choice a stream of `RandomPurpose.selection` makes: who is asked, who answers, and with which device.
package enum SelectionStream {
  static let cohort: UInt64 = 0
  static let availability: UInt64 = 1
  static let dropout: UInt64 = 2
  static let phase: UInt64 = 3
  static let speed: UInt64 = 4
  static let bandwidthUp: UInt64 = 5
  static let bandwidthDown: UInt64 = 6
  static let passes: UInt64 = 7
  static let straggling: UInt64 = 8
  static let attackers: UInt64 = 9
  package static let neighbours: UInt64 = 10
  static let asking: UInt64 = 11
  static let duration: UInt64 = 12
}
