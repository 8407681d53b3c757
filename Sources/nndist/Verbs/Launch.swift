import Configuration
import Glibc
import Learning
import Training

/// `nndist launch -n N -- VERB …`: ranks under mpirun, started again when one is lost.
enum Launch: Verb {
  static let name = "launch"
  static let usage = "launch -n N [--restarts K] -- VERB …"
  static let summary = "starts ranks under mpirun, and starts them again from the newest checkpoint when one is lost"
  static let details = """
    Behind -- stands what ranks run: train CONFIG with its flags, or bench step or allreduce, which is started once.
      nndist launch -n 4 --restarts 10 --min-ranks 2 -- train configs/digits-mlp.yaml
    mpirun gets what it needs on this machine (permission for root, binding or oversubscription, threads a rank, variables \
    NNDIST_…). Without --run the run directory is chosen here, so that restarts know it.

    Started again, with --resume: a rank that was killed or lost (exit 6), an mpirun that failed, a job that hangs, and what \
    went wrong after steps had been made (exit 1 and 7). Ranks call a silent peer lost after NNDIST_TIMEOUT_SECONDS; a job \
    that writes nothing at all into its run directory for --hang seconds is ended. A run directory still locked by dying \
    ranks (exit 9) is tried again. All else is the exit code. When the restarts are used up it is 6, with the first cause.

    The pause before a restart doubles up to 60 seconds, and begins anew once there is progress. Every attempt is said on \
    standard error and is a line of RUN/launch.jsonl. Ranks find its number in NNDIST_ATTEMPT.

    SIGTERM, SIGINT, SIGHUP and SIGUSR1 ask the ranks to save their state and stop: exit 10. A second signal, a second or more \
    later, ends the job at once. When launch itself is killed, the job ends too.
    """
  static let ranks = Flag("--ranks", "N", "ranks to start", short: "-n")
  static let restarts = Flag("--restarts", "K", "how often to start again, at most (default 10)")
  static let minimumRanks = Flag(
    "--min-ranks", "M",
    "after each loss go on with one rank fewer, with learning.stages with one for each stage, but never fewer than M (default N)"
  )
  static let hang = Flag(
    "--hang", "SECONDS",
    "how long a job may show no sign of life (default 1800; 0 for ever): longer than a step, an evaluation, loading the data"
  )
  static let backoff = Flag("--backoff", "SECONDS", "the first pause before a restart (default 1)")
  static let host = Flag("--host", "LIST", "hosts with their slots, for mpirun: a:8,b:8", short: "-H")
  static let hostfile = Flag("--hostfile", "FILE", "a file of hosts, for mpirun")
  static let mca = Flag("--mca", "KEY VALUE", "a parameter of Open MPI: --mca btl tcp,self; repeatable", repeats: true)
  static let mpirun = Flag(
    "--mpirun", "OPTIONS", "further options of mpirun, between blanks; repeatable", repeats: true)
  static let asMPIRun = Flag(
    "--as-mpirun", nil, "everything behind -- goes to mpirun as it stands, once: what launch/mpirun does")
  static let flags = [
    ranks, restarts, minimumRanks, hang, backoff, host, hostfile, mca, mpirun, asMPIRun,
  ]
  static let words = 0...Int.max

  /// The verbs that ranks can run together.
  private static let verbs: [any Verb.Type] = [Train.self, Bench.self]

  static func run(_ arguments: Arguments) throws(RunError) -> ExitCode {
    guard let command = arguments.behindDashes, command.count == arguments.positional.count else {
      let stray = arguments.positional.prefix(arguments.positional.count - (arguments.behindDashes?.count ?? 0))
      throw RunError(
        .usage,
        "expected `nndist \(usage)`; "
          + (stray.first.map { "put -- before what ranks run, and nothing else: given \($0)" } ?? "there is no --"))
    }
    let status =
      arguments.has(asMPIRun)
      ? try PlainLaunch.run(plainWords(command, arguments)) : try supervise(command, arguments)
    if let code = ExitCode(rawValue: status) { return code }
    exit(status)
  }

  private static func plainWords(_ command: [String], _ arguments: Arguments) throws(RunError) -> [String] {
    if let flag = flags.first(where: { $0.name != asMPIRun.name && arguments.has($0) }) {
      throw RunError(.usage, "\(flag.name) has no meaning with --as-mpirun: options of mpirun stand behind --")
    }
    guard !command.isEmpty else { throw RunError(.usage, "nothing stands behind --: give mpirun's words") }
    return command
  }

  private static func supervise(_ command: [String], _ arguments: Arguments) throws(RunError) -> Int32 {
    guard let count = try arguments.integer(ranks, in: 1...65_536) else {
      throw RunError(.usage, "launch needs -n N, the number of ranks")
    }
    let minimum = try arguments.integer(minimumRanks, in: 1...65_536) ?? count
    guard minimum <= count else {
      throw RunError(.usage, "--min-ranks \(minimum) is more than the \(count) of -n; ranks only get fewer")
    }
    var policy = RestartPolicy(
      restarts: try arguments.integer(restarts, in: 0...1_000_000) ?? 10, ranks: count, minimumRanks: minimum,
      backoff: try arguments.seconds(backoff) ?? 1)
    let patience = try arguments.seconds(hang) ?? 1800
    let verb = try verb(of: command)
    let words = try Arguments(Array(command.dropFirst()), verb: verb)
    let isTraining = verb.name == Train.name
    let (run, chosen, stages) = isTraining ? try training(words, policy) : (nil, [], 1)
    policy.stages = stages
    // A run that never began leaves nothing behind.
    defer {
      if !chosen.isEmpty, let run, rmdir(run) == 0 { rmdir(RunDirectory.root) }
    }
    return try Supervisor(
      options: options(arguments), command: [command[0]] + chosen + command[1...], run: run,
      policy: isTraining ? policy : RestartPolicy(restarts: 0, ranks: count, minimumRanks: count, backoff: 0),
      patience: patience > 0 ? patience : nil, printsJSON: isTraining && words.has(.json)
    ).supervise()
  }

  private static func verb(of command: [String]) throws(RunError) -> any Verb.Type {
    let known = verbs.map { $0.name }
    guard let word = command.first else {
      throw RunError(.usage, "nothing stands behind --: give what ranks run, such as -- train CONFIG")
    }
    guard let verb = verbs.first(where: { $0.name == word }) else {
      if Verbs.all.contains(where: { $0.name == word }) {
        throw RunError(.usage, "`\(word)` is not run by ranks; launch starts \(known.joined(separator: " and "))")
      }
      let meant = nearest(word, among: known).map { "did you mean `\($0)`?" }
      throw RunError(
        .usage, "`\(word)` behind -- is no verb; \(meant ?? "launch starts \(known.joined(separator: " and "))")")
    }
    return verb
  }

  /// The run directory, the words that tell ranks of it where the user has not, and how many ranks share a model.
  private static func training(
    _ words: Arguments, _ policy: RestartPolicy
  ) throws(RunError) -> (run: String?, chosen: [String], stages: Int) {
    guard words.value(.run) != nil || !words.has(.resume) else {
      throw RunError(.usage, "--resume needs --run DIR to say which run goes on")
    }
    let node = try ConfigurationLoading.node(words.positional[0], words)
    let (name, every, stages): (String, Quantity?, Int)
    do {
      if FederatedExperiment.isOne(node) {
        let experiment = try FederatedExperiment(node)
        (name, every, stages) = (experiment.name, experiment.checkpoint.every, 1)
      } else {
        let experiment = try Experiment(node)
        (name, every, stages) = (experiment.name, experiment.checkpoint.every, experiment.learning.stages)
        _ = try StageGrid.replicas(ranks: policy.ranks, stages: stages)
      }
    } catch { throw RunError(error) }
    if policy.restarts > 0, every == nil {
      Output.errorText("nndist launch: checkpoint.every is never: when a rank is lost, all work is done again\n")
    }
    if let path = words.value(.run) { return (path, [], stages) }
    let path = try RunDirectory.reserve(name: name)
    return (path, ["--run", path], stages)
  }

  private static func options(_ arguments: Arguments) -> [String] {
    var options: [String] = []
    for flag in [host, hostfile] { if let value = arguments.value(flag) { options += [flag.name, value] } }
    for pair in arguments.all(mca) {
      options += ["--mca"] + pair.split(separator: " ", maxSplits: 1).map(String.init)
    }
    for text in arguments.all(mpirun) { options += text.split(separator: " ").map(String.init) }
    return options
  }
}
