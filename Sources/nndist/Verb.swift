import Training

/// A command of `nndist`.  Adding one is a file of `Verbs` and a line of `Verbs.all`.
protocol Verb: SendableMetatype {
  /// The word on the command line.
  static var name: String { get }
  /// The line after `nndist`: `train CONFIG`.
  static var usage: String { get }
  /// What it does, in a sentence.
  static var summary: String { get }
  /// More about it, for `nndist help NAME`.
  static var details: String { get }
  /// The flags it knows.
  static var flags: [Flag] { get }
  /// How many words it takes that are no flags.
  static var words: ClosedRange<Int> { get }
  /// Does it; the exit code, or a `RunError`.
  static func run(_ arguments: Arguments) throws(RunError) -> ExitCode
}

extension Verb {
  static var details: String { "" }
  static var flags: [Flag] { [] }
  static var words: ClosedRange<Int> { 1...1 }
}
