import Training

/// mpirun with nndist's settings and signals, for any program: what `launch/mpirun` calls.
enum PlainLaunch {
  /// Runs it once; what this process is to exit with: mpirun's status.
  static func run(_ words: [String]) throws(RunError) -> Int32 {
    let command = try MPIRunCommand(words)
    let stop = try StopRequests()
    let end = try Job(command).wait(stop, say: say)
    if end.status > 128 {
      say(
        stop.first == nil
          ? "the job ended with status \(end.status): a rank was killed by signal \(end.status - 128) or could not be started"
          : "the job ended with status \(end.status) before its state was saved")
    }
    return end.status
  }

  private static func say(_ text: String) { Output.errorText("launch/mpirun: \(text)\n") }
}
