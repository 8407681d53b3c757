import Communication
import Configuration
import Reporting
import Training

/// One rank's part of `train` and `simulate`: run directory, observers, loop, result.
struct TrainingRun {
  let verb: String
  let experiment: Experiment
  let arguments: Arguments

  /// Flags of the verbs that train.
  static let flags: [Flag] = [.set, .run, .resume, .json, .quiet]

  /// Trains; only rank 0 has a run directory, made once all ranks know that they can train.  Returns rank 0's result, a JSON
  /// object.
  func rank(_ prepared: PreparedExperiment, _ communicator: any Communicator) throws(RunError) -> String? {
    let resume = arguments.has(.resume)
    let prepared = try prepared.fixing(shards: shards(communicator))
    let loop = try TrainingLoop(prepared, communicator)
    try loop.armFaults(run: arguments.value(.run))
    let directory = try Agreement.together(communicator) { () throws(RunError) -> RunDirectory? in
      guard communicator.rank == 0 else { return nil }
      return try RunDirectory(
        name: experiment.name, path: arguments.value(.run), resume: resume, faults: loop.writeFaults)
    }
    if try FinishedRun.isOne(directory, arguments, communicator) { return directory?.result }
    try loop.keepCheckpoints(in: directory, resume: resume)
    let team = try RankTeam(communicator)
    try Agreement.together(communicator) { () throws(RunError) in
      guard let directory else { return }
      try directory.write(configuration: prepared.resolved)
      try directory.append(try receipt(loop, communicator, team))
      if let warning = team.warning {
        directory.log.write(warning)
        Output.note(warning)
      }
      let done = loop.progress.step
      let metrics = try directory.metrics(resumingAfter: done > 0 ? .step(done) : nil)
      if !arguments.has(.quiet) { loop.observers.append(ProgressBar()) }
      loop.observers.append(RunRecorder(metrics: metrics, log: directory.log))
    }
    let summary: TrainingSummary
    do throws(RunError) {
      summary = try loop.run()
    } catch {
      directory?.log.write("ended with exit code \(error.code.rawValue): \(error.message)")
      throw error
    }
    guard let directory else { return nil }
    let result = summary.object(verb: verb, run: directory.path)
    try directory.finish(result)
    return result.text
  }

  /// Logical shards where the configuration leaves them to the ranks: those that the run began with.
  private func shards(_ communicator: any Communicator) throws(RunError) -> Int {
    let began = arguments.has(.resume) ? arguments.value(.run).flatMap { RunDirectory.shards(at: $0) } ?? 0 : 0
    do {
      let known = try Agreement.exchange(Array("\(began)".utf8), communicator)[0]
      if let shards = Int(String(decoding: known, as: UTF8.self)), shards > 0 { return shards }
      return try experiment.shards(ranks: communicator.size)
    } catch { throw RunError(error) }
  }
}

/// A run that is to be continued and had ended before.
enum FinishedRun {
  /// Whether it is one; all ranks learn it from rank 0.
  static func isOne(
    _ directory: RunDirectory?, _ arguments: Arguments, _ communicator: any Communicator
  ) throws(RunError) -> Bool {
    guard arguments.has(.resume) else { return false }
    do throws(CommunicationError) {
      return try Agreement.exchange([directory?.result == nil ? 0 : 1], communicator)[0] == [1]
    } catch { throw RunError(error) }
  }
}
