import Foundation
import Testing

/// An `mpirun` of a few lines of shell, which ends as each test says.
@Suite("Which endings launch tries again, and how")
struct LaunchPolicyTests {
  private let run: LaunchedRun

  init() throws {
    run = try LaunchedRun()
    try run.tool.write("", to: "calls")
  }

  /// Runs launch with an mpirun that executes `script`: `$1` is the attempt, `metrics N` and `checkpoint N` leave traces.
  private func launch(
    _ flags: String..., backoff: String = "0", script: String, _ more: String...
  ) throws -> CommandResult {
    let text = """
      #!/bin/sh
      echo "$NNDIST_ATTEMPT $*" >> calls
      begin() { mkdir -p run/checkpoints; : >> run/config.yaml; }
      metrics() { begin; echo '{"step": '$1', "loss": 1}' >> run/metrics.jsonl; }
      checkpoint() { metrics $1; mkdir -p run/checkpoints/step-$1; : > run/checkpoints/step-$1/manifest.json; }
      fail() { echo "nndist: [rank 1] error: $2" >&2; exit $1; }
      set -- "$NNDIST_ATTEMPT"
      \(script)
      """
    let path = try run.tool.write(text, to: "bin/mpirun")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    let paths = "\(run.tool.path("bin")):\(ProcessInfo.processInfo.environment["PATH"] ?? "")"
    return try run.start(flags + ["--backoff", backoff], more, environment: ["PATH": paths]).result()
  }

  /// What each attempt's mpirun was started with.
  private func calls() throws -> [String] { try run.tool.text("calls").split(separator: "\n").map(String.init) }

  @Test(
    "tried again: a lost peer, a killed rank, an mpirun that failed, and what came after work",
    arguments: [
      "fail 6 'rank 0 ended'", "kill -9 $$", "exit 137", "begin; exit 1", "metrics 3; fail 7 'they disagree'",
      "metrics 3; fail 1 'a library failed'", "begin; exit 213",
    ])
  func again(_ ending: String) throws {
    let result = try launch("-n", "2", script: "case $1 in 1) \(ending);; esac")
    result.expectSuccess()
    let calls = try calls()
    #expect(calls.map { $0.prefix(1) } == ["1", "2"])
    #expect(!calls[0].contains("--resume"))
    #expect(calls[1].contains("train --resume a.yaml"))
  }

  @Test(
    "not tried again: everything else",
    arguments: [
      (1, "exit 1"), (1, "fail 1 'unfit machine'"), (7, "fail 7 'they disagree'"),
      (2, "exit 2"), (3, "exit 3"), (4, "exit 4"), (5, "exit 5"), (8, "metrics 9; exit 8"), (9, "fail 9 'no space'"),
      (9, "fail 9 'run is in use by process 1'"), (10, "metrics 9; exit 10"), (11, "exit 11"), (1, "exit 213"),
    ] as [(Int32, String)])
  func final(_ code: Int32, _ ending: String) throws {
    let result = try launch("-n", "2", script: ending)
    #expect(result.status == code, "\(result.errors)")
    #expect(try calls().count == 1)
    #expect(result.launchLines.isEmpty)
  }

  @Test("what failed without a step of its own is not tried again, whatever the metrics of an earlier start say")
  func stale() throws {
    try run.tool.write("{\"step\": 9}\n", to: "run/metrics.jsonl")
    try run.tool.write("{}", to: "run/checkpoints/step-5/manifest.json")
    let result = try launch("-n", "2", script: "fail 7 'they disagree'", "--resume")
    #expect(result.status == 7)
    #expect(try calls().count == 1)
    #expect(run.attempts.map { $0["step_after"] as? Int } == [5])
  }

  @Test("a run directory that dying ranks still lock is tried again, with as many ranks")
  func locked() throws {
    let result = try launch(
      "-n", "3", "--min-ranks", "1",
      script: "case $1 in 1) metrics 2; exit 137;; 2) fail 9 'run is in use by process 7 on b';; esac")
    result.expectSuccess()
    #expect(try calls().map { $0.contains(" -n 3 ") } == [true, false, false])
    #expect(try calls().map { $0.contains(" -n 2 ") } == [false, true, true])
    #expect(result.launchLines[1].contains("the run directory was locked"))
  }

  @Test("each loss costs a rank, down to --min-ranks")
  func shrinking() throws {
    let result = try launch("-n", "4", "--min-ranks", "2", "--restarts", "4", script: "exit 137")
    #expect(result.status == 6)
    #expect(run.attempts.isEmpty, "there is no run to write to")
    for (call, ranks) in zip(try calls(), [4, 3, 2, 2, 2]) { #expect(call.contains(" -n \(ranks) "), "\(call)") }
    #expect(result.errorLines.last?.contains("gave up after 5 attempts") == true)
  }

  @Test("ranks that share a model are lost together")
  func shrinkingInStages() throws {
    let stages = ["--set", "learning={name: dgl, stages: 2}"]
    try run.tool.run(["launch", "-n", "3", "--", "train", "a.yaml"] + stages).expectFailure(
      3, "learning.stages is 2, which does not divide 3 ranks")
    for (flags, expected) in [
      (["-n", "6", "--min-ranks", "1"], [6, 4, 2, 2]), (["-n", "4", "--min-ranks", "3"], [4, 4]),
    ] {
      try run.tool.write("", to: "calls")
      let result = try launch(
        flags[0], flags[1], flags[2], flags[3], "--restarts", "\(expected.count - 1)", script: "exit 137", stages[0],
        stages[1])
      #expect(result.status == 6)
      let calls = try calls()
      #expect(calls.count == expected.count)
      for (call, ranks) in zip(calls, expected) { #expect(call.contains(" -n \(ranks) "), "\(call)") }
    }
  }

  @Test("pauses double and begin anew with progress")
  func pauses() throws {
    let script = "case $1 in 4) checkpoint 8; exit 137;; 6) exit 0;; *) exit 137;; esac"
    let result = try launch("-n", "2", backoff: "0.1", script: script)
    result.expectSuccess()
    #expect(
      result.launchLines.dropLast().map { $0.components(separatedBy: "; ").last } == [
        "starting again with 2 ranks in 0.1 s", "starting again with 2 ranks in 0.2 s",
        "starting again with 2 ranks in 0.4 s", "going on from step 8 with 2 ranks in 0.1 s",
        "going on from step 8 with 2 ranks in 0.2 s",
      ])
  }

  @Test("the first cause is what the first rank said, with its attempt and step")
  func cause() throws {
    let result = try launch(
      "-n", "2", "--restarts", "2",
      script:
        "case $1 in 1) metrics 4; echo 'nndist: [rank 0] error: rank 1 ended' >&2; fail 6 late;; *) exit 139;; esac")
    #expect(result.status == 6)
    let line = try #require(result.errorLines.last)
    #expect(
      line.contains("the first cause was attempt 1 after step 4: a rank was lost (rank 0: rank 1 ended)"), "\(line)")
    #expect(line.contains("the last, attempt 3"))
    #expect(line.contains("killed by signal 11"))
    #expect(run.attempts.map { $0["status"] as? Int } == [6, 139, 139])
    #expect(run.attempts.first?["cause"] as? String == "a rank was lost (rank 0: rank 1 ended)")
  }

  @Test("mpirun gets what was asked for, and nndist by its path")
  func words() throws {
    let result = try launch(
      "-n", "2", "-H", "a:1,b:1", "--mca", "btl", "tcp,self", "--mpirun", "--map-by node -x FOO=1", script: "exit 0")
    result.expectSuccess()
    let call = try #require(try calls().first)
    for words in [
      "-n 2 --host a:1,b:1 --mca btl tcp,self --map-by node -x FOO=1 /", "/nndist train a.yaml --run run",
      "-x NNDIST_ATTEMPT", "-x OMP_NUM_THREADS", "-x OMPI_MCA_btl_tcp_eager_limit=262144",
    ] { #expect(call.contains(words), "no `\(words)` in \(call)") }
    #expect(!call.contains("--bind-to"), "binding is for one host")
  }

  @Test(
    "what makes no sense is exit 2",
    arguments: [
      (["launch"], "there is no --"), (["launch", "-n", "2", "train", "a.yaml"], "put -- before"),
      (["launch", "-n", "2", "--"], "nothing stands behind --"), (["launch", "--", "train", "a.yaml"], "needs -n N"),
      (["launch", "-n", "0", "--", "train", "a.yaml"], "from 1 to"),
      (["launch", "-n", "2", "--min-ranks", "3", "--", "train", "a.yaml"], "--min-ranks 3 is more than the 2"),
      (["launch", "-n", "2", "--", "trian", "a.yaml"], "did you mean `train`?"),
      (["launch", "-n", "2", "--", "simulate", "a.yaml"], "is not run by ranks"),
      (["launch", "-n", "2", "--", "train"], "expected `nndist train CONFIG`"),
      (["launch", "-n", "2", "--", "train", "a.yaml", "--jsn"], "did you mean --json?"),
      (["launch", "-n", "2", "--", "train", "a.yaml", "--resume"], "--resume needs --run DIR"),
      (["launch", "-n", "2", "--mca", "btl", "--", "train", "a.yaml"], "--mca needs a value"),
      (["launch", "-n", "2", "--hang", "long", "--", "train", "a.yaml"], "a number of seconds"),
      (["launch", "-n", "2", "--restart", "3", "--", "train", "a.yaml"], "did you mean --restarts?"),
      (["launch", "-n", "2", "--as-mpirun", "--", "true"], "has no meaning with --as-mpirun"),
    ])
  func nonsense(_ arguments: [String], _ remedy: String) throws {
    let before = run.tool.names()
    try run.tool.run(arguments).expectFailure(2, remedy)
    #expect(run.tool.names() == before, "something was left behind")
  }

  @Test("bench is started once, and needs no run")
  func bench() throws {
    let result = try run.tool.run("launch", "-n", "2", "--", "bench", "step", "--seconds", "0.2", "--json")
    result.expectSuccess()
    #expect(result.json["ranks"] as? Int == 2)
    #expect(!run.tool.exists("runs"))
  }
}
