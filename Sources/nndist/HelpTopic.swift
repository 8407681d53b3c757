import Configuration
import Datasets
import Layers
import Learning
import Optimizers
import Strategies
import Training

/// A page of `nndist help`; a new one is a line of `all`.
struct HelpTopic: Sendable {
  let name: String
  let summary: String
  let text: @Sendable () -> String
  /// The keys that the page is about, where it is about any: for `--json`.
  var keys: @Sendable () -> [KeyDescription] = { [] }

  /// Every page beside those of verbs.
  static let all: [HelpTopic] = [
    HelpTopic(
      name: "config", summary: "every key of a configuration",
      text: { ConfigurationPages.configuration }, keys: { ConfigurationPages.keys }),
    HelpTopic(
      name: "models", summary: "the models that `model:` names, and their keys",
      text: { ConfigurationPages.models }, keys: { ModelCatalog.all.flatMap { $0.document() } }),
    HelpTopic(
      name: "layers", summary: "the layers of `model: {layers: […]}`, and their keys",
      text: { ConfigurationPages.layers }, keys: { LayerCatalog.all.flatMap { $0.document() } }),
    HelpTopic(
      name: "data-sets", summary: "the data sets and formats of `data:`, and their keys",
      text: { ConfigurationPages.dataSets }, keys: { ConfigurationPages.dataKeys.flatMap(\.keys) }),
    HelpTopic(
      name: "federated", summary: "what clients do and upload, and what the server makes of it: `federated:`",
      text: { ConfigurationPages.federated },
      keys: { ConfigurationPages.federatedKeys + ConfigurationPages.federatedStrategyKeys.flatMap(\.keys) }),
    HelpTopic(
      name: "partitions", summary: "how federated clients get their samples: `federated.partition:`",
      text: { ConfigurationPages.partitions }, keys: { ConfigurationPages.partitionKeys.flatMap(\.keys) }),
    HelpTopic(
      name: "optimizers", summary: "the update rules and schedules of `optimizer:`, and their keys",
      text: { ConfigurationPages.optimizers },
      keys: { (ConfigurationPages.ruleKeys + ConfigurationPages.scheduleKeys).flatMap(\.keys) }),
    HelpTopic(
      name: "strategies", summary: "how ranks exchange what they learn: `strategy:`",
      text: { ConfigurationPages.strategies },
      keys: { ConfigurationPages.strategyKeys.flatMap(\.keys) }),
    HelpTopic(
      name: "learning", summary: "how a batch becomes gradients: `learning:`",
      text: { ConfigurationPages.learning }, keys: { ConfigurationPages.learningKeys.flatMap(\.keys) }),
    HelpTopic(
      name: "faults", summary: "what can be made to go wrong with a run: `faults:`",
      text: { ConfigurationPages.faults }, keys: { ConfigurationPages.faultKeys.flatMap(\.keys) }),
    HelpTopic(name: "exit-codes", summary: "what the exit code says", text: { exitCodes }),
    HelpTopic(name: "environment", summary: "the variables that nndist reads", text: { environment }),
  ]

  // MARK: - Exit codes

  static func meaning(_ code: ExitCode) -> String {
    switch code {
    case .done: "done"
    case .internalError: "an internal error, an unfit machine, or a gradient that is wrong (`check`)"
    case .usage: "the command line makes no sense"
    case .configuration: "the configuration cannot be used, or the run directory holds a run already"
    case .data: "data are missing, damaged or of another shape"
    case .checkpoint: "a checkpoint or weights file is missing, damaged or another model's"
    case .peerLost: "a rank was lost"
    case .desynchronised: "ranks disagree on configuration, data or parameters, or a digest is not confirmed"
    case .diverged: "the loss or a gradient is not finite"
    case .refused: "refused: memory, disk, lock or budget"
    case .stopped: "stopped by a signal; the state was saved, --resume goes on"
    case .unauthorised: "a peer's key is not known"
    }
  }

  private static var exitCodes: String {
    """
    \(Terminal.bold("Exit codes"))

    \(Layout.glossary(ExitCode.allCases.map { ("\($0.rawValue)", meaning($0)) }))

    \(Layout.wrapped(
      """
      Errors are one line on standard error, `nndist: error: …`. A bare mpirun returns 1 for SIGTERM and SIGINT; \
      launch/mpirun and nndist launch let the ranks save their state first and return 10. nndist launch starts again after \
      6, after a rank or mpirun was killed, and after 1 and 7 where steps had been made; `nndist help launch` says more.
      """))
    """
  }

  // MARK: - Variables

  struct Variable: Sendable {
    let name: String
    let help: String
  }

  static let variables: [Variable] = [
    Variable(name: "NNDIST_DATA", help: "a folder with a folder for each data set: mnist, cifar10, …"),
    Variable(
      name: "NNDIST_TIMEOUT_SECONDS", help: "how long a rank waits for others before it calls them lost (60)"),
    Variable(
      name: "NNDIST_OPENBLAS_CORETYPE",
      help: "the kernels that OpenBLAS is to take, such as Haswell; otherwise the best for this CPU"),
    Variable(
      name: "NNDIST_MARCH", help: "when building: the CPU to compile for (native), or none for any x86-64"),
    Variable(
      name: "NNDIST_KILL_SECONDS",
      help: "nndist launch, launch/mpirun: how long ranks may go on after one of them failed (2)"),
    Variable(
      name: "NNDIST_TRANSPORT",
      help: "how ranks of one host are connected: auto (default: measured), window (shared memory) or messages (MPI)"),
    Variable(name: "NNDIST_ATTEMPT", help: "which start of a run this is, from 1 (counted; nndist launch sets it)"),
    Variable(
      name: "NNDIST_MPIRUN_VERBOSE",
      help: "nndist launch, launch/mpirun: 1 shows Open MPI's own report on a failed rank"),
    Variable(name: "NNDIST_PYTHON", help: "launch/compare: a Python that has PyTorch (python3)"),
    Variable(name: "NNDIST_FULL_TESTS", help: "launch/test: 1 runs the long tests too"),
  ]

  private static var environment: String {
    let keys: (term: String, text: String) = (
      "NNDIST_SECTION__KEY",
      "sets a key of the configuration, as --set does: NNDIST_TRAINING__BATCH=64 is --set training.batch=64. Two "
        + "underscores stand for the dot, one for a hyphen; flags go over variables, variables over the file."
    )
    let others: [(term: String, text: String)] = [
      ("NO_COLOR", "anything: no colours on a terminal"),
      ("HOME", "downloads are kept in ~/.cache/nndist"),
      ("TMPDIR", "the folder for what federated clients remember and federated.state-memory does not hold (/tmp)"),
    ]
    return """
      \(Terminal.bold("Variables"))

      \(Layout.glossary([keys] + variables.map { ($0.name, $0.help) } + others, width: 24))

      \(Layout.wrapped("Ranks are found by what Open MPI, PMIx, PMI and Slurm set; nothing needs to be set by hand."))
      """
  }
}
