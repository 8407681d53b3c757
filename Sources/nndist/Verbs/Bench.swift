import Tensors
import Training

/// `nndist bench SUBJECT`: how fast things are here.
enum Bench: Verb {
  static let name = "bench"
  static let usage = "bench step|simulate|wire|gemm|memory|allreduce|strategies|learning [CONFIG]"
  static let summary = "times training steps, and what the machine can do at best"
  static let details = """
    step: whole training steps of a model (gradients, exchange through the strategy, update) on random samples that lie in \
    memory; --profile says where their time goes, and how near each operation comes to what a core can do, as products and \
    passes over memory are measured in the same minute. Without --config, --model names one of the standard tasks. \
    Under mpirun all ranks are timed together and rank 0 reports.
    simulate: rounds of a federation on random samples that lie in memory, or of --config on its own data; client updates a \
    second. Without --task it is logistic regression over 1,000 clients of 60 samples, 10 a round.
    wire: rounds of a federation over encrypted connections on loopback, whose clients do not train, against the bare \
    transfer of as many bytes by as many connections.
    allreduce: the sum over all ranks of 4 B to 64 MiB, and which transport was chosen for each size; small ones are timed \
    1,000 in a row. Under mpirun, or on threads with --ranks (default 2).
    gemm: products of matrices of many shapes. memory: passes over arrays of 32 KiB to 256 MiB. Both on one core.

    strategies CONFIG: trains the configuration with every strategy, or those of --strategy, on simulated ranks, with several \
    seeds each. Shows accuracy and loss on the test set (mean and 95 % interval over seeds), what the rank that sends most \
    sends, and the seconds of a training where every rank has a core and a link of its own: processor time, and bytes and \
    messages over the stated link, nothing hidden behind computing. RUN/comparison.json holds all of it.

    learning CONFIG: trains the configuration with every learning rule, or those of --rule, each with --seeds seeds (default 1): \
    accuracy and loss on the test set, the memory of one worker's activations, the most memory that was resident (data and \
    program included), seconds of training, and what the rank that sends most sends. A rule that cannot train the model says \
    why. RUN/comparison.json holds all of it.

    With --json every measurement is one object on a line of its own.
    """
  static let model = Flag("--model", "NAME", "mlp, cnn, resnet20, gpt or another named model (default mlp)")
  static let config = Flag("--config", "FILE", "the model, optimizer and strategy of a configuration instead")
  static let batch = Flag("--batch", "N", "samples of a step, each rank (default: the task's or configuration's)")
  static let ranks = Flag("--ranks", "R", "ranks, as threads of this process (default 1)")
  static let seconds = Flag(
    "--seconds", "S", "how long to measure (default 4; 0.5 a product, 0.2 a pass over memory)")
  static let profile = Flag("--profile", nil, "shows where the time of a step goes, for each kind of operation")
  static let layers = Flag("--layers", nil, "shows it for each operation of each layer")
  static let overlap = Flag(
    "--overlap", nil, "also times steps that exchange after computing, and says how much overlapping hides")
  static let backend = Flag("--backend", "NAME", "onednn or openblas")
  static let type = Flag("--type", "NAME", "allreduce: float (default), double, bfloat16, int8 … int64 or uint8")
  static let transport = Flag("--transport", "NAME", "allreduce: auto (default), window or messages")
  static let words = 1...2
  private static let stepFlags = [
    model, config, batch, ranks, seconds, profile, layers, overlap, backend, Flag.set, Flag.json,
  ]
  private static let strategyFlags = [
    BenchStrategies.strategies, BenchStrategies.seeds, BenchStrategies.bandwidth, BenchStrategies.latency,
  ]
  private static let learningFlags = [BenchLearning.rules, BenchStrategies.seeds]
  private static let wireFlags = [BenchWire.clients, BenchWire.parameters, BenchWire.rounds, BenchWire.crowd]
  static let flags =
    stepFlags + [BenchSimulate.task, type, transport] + strategyFlags + [BenchLearning.rules] + wireFlags + [
      .run, .quiet,
    ]

  /// What can be timed, and the flags that mean something to it.
  private static let subjects:
    [(name: String, flags: [Flag], run: @Sendable (Arguments) throws(RunError) -> ExitCode)] = [
      ("step", stepFlags, { (arguments) throws(RunError) in try BenchStep(arguments).run() }),
      (
        "simulate", [BenchSimulate.task, config, ranks, seconds, .set, .json],
        { (arguments) throws(RunError) in try BenchSimulate(arguments).run() }
      ),
      ("wire", wireFlags + [.json], { (arguments) throws(RunError) in try BenchWire(arguments).run() }),
      (
        "allreduce", [ranks, type, transport, .json],
        { (arguments) throws(RunError) in try BenchAllReduce(arguments).run() }
      ),
      ("gemm", [seconds, backend, .json], { (arguments) throws(RunError) in try BenchMachine.products(arguments) }),
      ("memory", [seconds, .json], { (arguments) throws(RunError) in try BenchMachine.memory(arguments) }),
      (
        "strategies", [ranks] + strategyFlags + [.run, .set, .json, .quiet],
        { (arguments) throws(RunError) in try BenchStrategies(arguments).run() }
      ),
      (
        "learning", [ranks] + learningFlags + [.run, .set, .json, .quiet],
        { (arguments) throws(RunError) in try BenchLearning(arguments).run() }
      ),
    ]

  static func run(_ arguments: Arguments) throws(RunError) -> ExitCode {
    let word = arguments.positional[0]
    guard let subject = subjects.first(where: { $0.name == word }) else {
      let names = subjects.map(\.name).joined(separator: ", ")
      throw RunError(.usage, "`\(word)` cannot be timed; expected `nndist bench` with one of \(names)")
    }
    if let other = flags.first(where: { flag in
      arguments.has(flag) && !subject.flags.contains { $0.name == flag.name }
    }) {
      throw RunError(.usage, "bench \(word) has no flag \(other.name); see nndist help bench")
    }
    guard arguments.positional.count == 1 || word == "strategies" || word == "learning" else {
      throw RunError(.usage, "bench \(word) takes no word but that; `\(arguments.positional[1])` is one too many")
    }
    return try subject.run(arguments)
  }

  /// The seconds to measure for.
  static func seconds(_ arguments: Arguments, default standard: Double) throws(RunError) -> Double {
    guard let text = arguments.value(seconds) else { return standard }
    guard let number = Double(text), number > 0, number <= 86_400 else {
      throw RunError(.usage, "--seconds is `\(text)`; expected a number above 0, at most 86400")
    }
    return number
  }

  /// The library to compute with; nil where none is named.
  static func backend(_ arguments: Arguments) throws(RunError) -> Compute.Backend? {
    guard let text = arguments.value(backend) else { return nil }
    guard let backend = Compute.Backend(rawValue: text) else {
      let names = Compute.Backend.allCases.map { "`\($0.rawValue)`" }.joined(separator: " or ")
      throw RunError(.usage, "--backend is `\(text)`; expected \(names)")
    }
    return backend
  }
}
