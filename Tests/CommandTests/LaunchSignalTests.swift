import Foundation
import Testing

@Suite("Signals to launch")
struct LaunchSignalTests {
  @Test("the first saves the state: exit 10, nothing is started again", arguments: [SIGTERM, SIGINT, SIGHUP, SIGUSR1])
  func stop(_ signal: Int32) throws {
    let run = try LaunchedRun()
    let command = try run.start(["-n", "2"], LaunchedRun.endless)
    #expect(command.wait { run.step > 0 })
    kill(try #require(command.launcher), signal)
    let result = command.result()
    result.expectFailure(10, "stopped by a signal after step", "--resume")
    #expect(result.launchLines == ["nndist launch: asking the ranks to save their state and stop"])
    #expect(run.attempts.map { $0["status"] as? Int } == [10])
    let step = try #require(run.checkpoints.last)
    #expect(run.step == step)
    // It goes on where it stopped.
    let end = ["--resume", "--json", "--set", "training.steps=\(step + 100)"]
    let resumed = try run.start(["-n", "3"], end).result()
    resumed.expectSuccess()
    #expect(resumed.digest == (try run.undisturbed("--set", "training.steps=\(step + 100)")))
  }

  @Test("a second one ends the job at once, whatever a rank does")
  func demand() throws {
    let run = try LaunchedRun()
    let command = try run.start(["-n", "2"], LaunchedRun.endless)
    #expect(command.wait { run.step > 0 })
    let job = command.job
    let launcher = try #require(command.launcher)
    // A rank that stands still cannot save its state.
    kill(try #require(command.ranks.last), SIGSTOP)
    kill(launcher, SIGTERM)
    #expect(command.wait { command.errors.contains("asking the ranks") })
    // Sooner than a second later it counts as the same wish.
    #expect(
      command.wait {
        kill(launcher, SIGINT)
        return command.errors.contains("ending the job")
      })
    let result = command.result()
    #expect(result.status == 128 + SIGINT, "\(result.errors)")
    #expect(result.launchLines.last?.contains("interrupted after step") == true)
    for process in job { #expect(!RunningProcess.isAlive(process.identifier)) }
  }

  @Test("one during the pause before a restart is exit 10")
  func pause() throws {
    let run = try LaunchedRun()
    let command = try run.start(["-n", "2", "--backoff", "1000"], LaunchedRun.endless)
    #expect(command.wait { !run.checkpoints.isEmpty })
    kill(try #require(command.ranks.last), SIGKILL)
    #expect(command.wait { command.errors.contains(" in 1000 s") })
    command.signal(SIGTERM)
    let result = command.result()
    #expect(result.status == 10, "\(result.errors)")
    #expect(result.launchLines.last?.contains("stopped by a signal before the next attempt") == true)
  }

  @Test("when launch is killed, nothing of the job lives on")
  func killed() throws {
    let run = try LaunchedRun()
    let command = try run.start(["-n", "3"], LaunchedRun.endless)
    #expect(command.wait { run.step > 0 })
    let job = command.job
    #expect(job.count >= 4)
    kill(try #require(command.launcher), SIGKILL)
    #expect(command.result().status == 137)
    // mpirun leaves ranks their time; the test's own limit ends a wait in vain.
    while job.contains(where: { RunningProcess.isAlive($0.identifier) }) { usleep(10_000) }
  }
}
