import Communication
import MPICommunication
import Training

/// `nndist train CONFIG`: one rank, or one of MPI's.
enum Train: Verb {
  static let name = "train"
  static let usage = "train CONFIG"
  static let summary = "trains, alone or as one of mpirun's ranks"
  static let flags = TrainingRun.flags

  static func run(_ arguments: Arguments) throws(RunError) -> ExitCode {
    StopSignal.install()
    OwnBinary.begin()
    guard let launcher = LauncherEnvironment.detect(), launcher.size != 1 else {
      let communicator = InProcessCommunicator.alone()
      let run = try PreparedRun(verb: name, arguments)
      if let result = try run.rank(communicator) { PreparedRun.report(result, arguments) }
      return .done
    }
    return try withMPI { (communicator) throws(RunError) in
      // Another binary may give other bits.
      let binary = try Agreement.together(communicator) { () throws(RunError) in try OwnBinary.digest() }
      try Agreement.require("another nndist", binary, "start the same program on all machines", communicator)
      let run = try Agreement.together(communicator) { () throws(RunError) in try PreparedRun(verb: name, arguments) }
      if let result = try run.rank(communicator) { PreparedRun.report(result, arguments) }
    }
  }

  /// Runs one rank between MPI's beginning and end.  Errors that all ranks share are said once, by rank 0; others by the rank
  /// that met them, which then ends the whole job.
  static func withMPI(
    transport: TransportSetting? = nil, _ body: (any Communicator) throws(RunError) -> Void
  ) throws(RunError) -> ExitCode {
    let environment: MPIEnvironment
    do throws(CommunicationError) {
      environment = try MPIEnvironment(transport: transport)
    } catch { throw RunError(error) }
    let communicator = environment.world
    var code = ExitCode.done
    do throws(RunError) {
      try body(communicator)
    } catch {
      code = error.code
      if error.isLocal {
        Output.error(error, rank: communicator.rank)
        MPIEnvironment.abort(code: Int(code.rawValue))
      }
      if communicator.rank == 0 { Output.error(error) }
    }
    do throws(CommunicationError) { try environment.finalise() } catch { throw RunError(error) }
    return code
  }
}

extension RunError {
  /// Whether one rank met it alone, so that the others cannot know of it and would wait.
  var isLocal: Bool {
    switch code {
    case .internalError, .peerLost: true
    default: false
    }
  }
}
