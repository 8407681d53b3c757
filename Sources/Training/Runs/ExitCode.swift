/// What the process tells whoever started it.  The numbers are part of the contract with scripts and schedulers.
public enum ExitCode: Int32, Sendable, CaseIterable {
  /// Everything asked for was done.
  case done = 0
  /// A fault of the program, or a machine it cannot run on.
  case internalError = 1
  /// The command line makes no sense.
  case usage = 2
  /// The configuration cannot be used.
  case configuration = 3
  /// Data are missing, damaged or unsuitable.
  case data = 4
  /// A checkpoint or weights file is missing, damaged or of another model.
  case checkpoint = 5
  /// A rank ended or stopped answering.
  case peerLost = 6
  /// Ranks do not agree on what they do or hold.
  case desynchronised = 7
  /// The loss or a gradient is not finite.
  case diverged = 8
  /// Memory, disk, lock or budget do not allow it.
  case refused = 9
  /// A signal asked to stop; the state was saved.
  case stopped = 10
  /// A peer's key is not known.
  case unauthorised = 11
}
