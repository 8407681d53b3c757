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

  /// Prepares the data and trains; only rank 0 has a run directory.  Returns what rank 0 reports.
  func rank(_ prepared: PreparedExperiment, _ communicator: any Communicator) throws(RunError) -> JSONObject? {
    let directory = try Agreement.together(communicator) { () throws(RunError) -> RunDirectory? in
      guard communicator.rank == 0 else { return nil }
      return try RunDirectory(
        name: experiment.name, path: arguments.value(.run), resume: arguments.has(.resume))
    }
    if let finished = try finished(directory, communicator) { return communicator.rank == 0 ? finished : nil }
    var observers: [any TrainingObserver] = []
    if let directory, !arguments.has(.quiet) { observers.append(ProgressBar(run: directory.path)) }
    let loop = try TrainingLoop(
      prepared, communicator, runDirectory: directory, resume: arguments.has(.resume), observers: observers)
    if let directory {
      try directory.writeConfiguration(prepared.resolved)
      let metrics = try MetricsLog(directory.metricsPath, resumingAfter: loop.progress.step > 0 ? .step(loop.progress.step) : nil)
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
    try directory.writeResult(result)
    return result
  }

  /// The result of a run that had ended before, on all ranks alike.
  private func finished(
    _ directory: RunDirectory?, _ communicator: any Communicator
  ) throws(RunError) -> JSONObject? {
    guard arguments.has(.resume) else { return nil }
    let result = try directory?.result()
    let isFinished: Bool
    do throws(CommunicationError) {
      isFinished = try Agreement.exchange([result == nil ? 0 : 1], communicator)[0] == [1]
    } catch { throw RunError(error) }
    return isFinished ? result ?? JSONObject() : nil
  }

  /// Prints the result: as JSON, or for people.
  func report(_ result: JSONObject) {
    if arguments.has(.json) { return Output.line(result.text) }
    Output.line(ResultText.of(result))
  }
}
