import Foundation
import Testing

@Suite("launch brings back what was lost")
struct LaunchTests {
  @Test(
    "a rank is killed: the ranks that remain, or all again, come to the undisturbed digest",
    arguments: [
      (["-n", "3"], [:], 3), (["-n", "3", "--min-ranks", "2"], [:], 2),
      (["-n", "3", "--min-ranks", "1", "--mca", "btl", "tcp,self"], ["NNDIST_TRANSPORT": "messages"], 2),
    ] as [([String], [String: String], Int)])
  func killed(_ flags: [String], _ environment: [String: String], _ ranks: Int) throws {
    let run = try LaunchedRun()
    let command = try run.start(
      flags + ["--backoff", "0", "--restarts", "2"], ["--json"], environment: environment)
    #expect(command.wait { !run.checkpoints.isEmpty })
    kill(try #require(command.ranks.last), SIGKILL)
    let result = command.result()
    result.expectSuccess()
    #expect(result.digest == (try run.undisturbed()))
    #expect(result.json["ranks"] as? Int == ranks)
    #expect(result.json["attempts"] as? Int == 2)
    let lines = result.launchLines
    #expect(lines.count == 2, "\(result.errors)")
    #expect(lines.first?.hasPrefix("nndist launch: attempt 1 of 3: a rank was lost after step ") == true)
    #expect(lines.first?.contains("; going on from step ") == true)
    #expect(lines.first?.hasSuffix(" with \(ranks) ranks in 0 s") == true)
    #expect(lines.last == "nndist launch: attempt 2 of 3: done after step 3000")
    let attempts = run.attempts
    #expect(attempts.map { $0["attempt"] as? Int } == [1, 2])
    #expect(attempts.map { $0["ranks"] as? Int } == [3, ranks])
    #expect(attempts.last?["status"] as? Int == 0)
    #expect(attempts.last?["step_before"] as? Int == attempts.first?["checkpoint_after"] as? Int)
    #expect(attempts.last?["step_after"] as? Int == 3000)
  }

  @Test("mpirun is killed: none of its ranks lives on, and the next attempt ends as it should")
  func killedMPIRun() throws {
    let run = try LaunchedRun()
    let command = try run.start(["-n", "2", "--backoff", "0"], ["--json"])
    #expect(command.wait { !run.checkpoints.isEmpty })
    let job = command.job
    kill(try #require(job.first?.identifier), SIGKILL)
    let result = command.result()
    result.expectSuccess()
    #expect(result.digest == (try run.undisturbed()))
    #expect(result.launchLines.first?.contains("mpirun was lost") == true, "\(result.errors)")
    for process in job { #expect(!RunningProcess.isAlive(process.identifier)) }
  }

  @Test("a rank that stands still is called lost by the others, and all that stand still by launch")
  func hanging() throws {
    let run = try LaunchedRun()
    let command = try run.start(
      ["-n", "2", "--backoff", "0", "--hang", "12"], ["--json", "--set", "training.steps=6000"],
      environment: ["NNDIST_TIMEOUT_SECONDS": "4"])
    #expect(command.wait { !run.checkpoints.isEmpty })
    kill(try #require(command.ranks.last), SIGSTOP)
    #expect(command.wait { run.attempts.count == 1 && run.step > (run.attempts[0]["step_after"] as? Int ?? 0) })
    for rank in command.ranks { kill(rank, SIGSTOP) }
    let result = command.result()
    result.expectSuccess()
    #expect(result.digest == (try run.undisturbed("--set", "training.steps=6000")))
    let lines = result.launchLines
    #expect(lines.count == 3, "\(result.errors)")
    #expect(lines[0].contains("attempt 1 of 11: a rank was lost after step"))
    #expect(lines[1].contains("attempt 2 of 11: no sign of life for 12 s after step"))
  }

  @Test("an mpirun that locks up when its ranks are dead is killed, and the job started again")
  func deserted() throws {
    let run = try LaunchedRun()
    let command = try run.start(["-n", "2", "--backoff", "0"], ["--json"])
    #expect(command.wait { !run.checkpoints.isEmpty })
    let ranks = command.ranks
    kill(try #require(command.job.first?.identifier), SIGSTOP)
    for rank in ranks { kill(rank, SIGKILL) }
    let result = command.result()
    result.expectSuccess()
    #expect(result.digest == (try run.undisturbed()))
    #expect(result.launchLines.first?.contains("all ranks of this host were lost") == true, "\(result.errors)")
  }

  @Test("when the restarts are used up it is exit 6, with the first cause and the last")
  func usedUp() throws {
    let run = try LaunchedRun()
    let command = try run.start(["-n", "2", "--backoff", "0", "--restarts", "1"], LaunchedRun.endless)
    for attempt in 0..<2 {
      #expect(command.wait { run.attempts.count == attempt && command.ranks.count == 2 && !run.checkpoints.isEmpty })
      kill(try #require(command.ranks.last), SIGKILL)
    }
    let result = command.result()
    #expect(result.status == 6)
    let line = try #require(result.errorLines.last)
    #expect(line.hasPrefix("nndist: error: gave up after 2 attempts: the first cause was attempt 1"), "\(line)")
    #expect(line.contains("killed by signal 9"))
    #expect(line.contains("; the last, attempt 2"))
    #expect(line.hasSuffix("--run run --resume goes on"))
    #expect(run.attempts.count == 2)
  }

  @Test(
    "what another attempt cannot mend is not tried again",
    arguments: [
      (3, ["-n", "5"], [], "training.shards: 4"), (3, ["-n", "2"], ["--set", "training.bathc=3"], "bathc"),
      (4, ["-n", "2"], ["--set", "data=mnist"], "mnist"),
      (8, ["-n", "2"], ["--set", "optimizer.learning-rate=1e30"], "learning-rate"),
      (9, ["-n", "2"], ["--set", "model.widths=[1000000, 1000000]"], "memory"),
    ] as [(Int32, [String], [String], String)])
  func final(_ code: Int32, _ flags: [String], _ more: [String], _ word: String) throws {
    let result = try LaunchedRun().start(flags, more).result()
    result.expectFailure(code, word)
    #expect(result.launchLines.isEmpty, "\(result.errors)")
  }

  @Test("without --run it chooses the run directory, and leaves none where nothing began")
  func chosen() throws {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits, to: "a.yaml")
    try tool.run("launch", "-n", "2", "--", "train", "a.yaml", "--set", "data=mnist").expectFailure(4, "mnist")
    #expect(tool.names() == ["a.yaml"])
    let result = try tool.run("launch", "-n", "2", "--", "train", "a.yaml", "--quiet", "--json")
    result.expectSuccess()
    let run = try #require(result.json["run"] as? String)
    #expect(run.hasPrefix("runs/digits-"))
    #expect(tool.exists("\(run)/launch.jsonl"))
  }
}
