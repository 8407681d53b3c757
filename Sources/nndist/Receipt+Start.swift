import Communication
import Configuration
import Federated
import MPICommunication
import Tensors
import Training

extension TrainingRun {
  /// What this start consists of; rank 0's.
  func receipt(
    _ loop: TrainingLoop, _ communicator: any Communicator, _ team: RankTeam
  ) throws(RunError) -> Receipt {
    try Receipt(
      verb, communicator, team, threads: experiment.compute.threads, shards: loop.start.shards,
      firstStep: loop.progress.step, loop.prepared.resolved, data: loop.dataDigest(), loop.prepared.compute)
  }
}

extension FederatedRun {
  /// What this start consists of; rank 0's.
  func receipt(
    _ loop: FederatedLoop, _ communicator: any Communicator, _ team: RankTeam
  ) throws(RunError) -> Receipt {
    let start = loop.start
    return try Receipt(
      verb, communicator, team, threads: start.threads, clients: start.clients, firstStep: start.firstRound,
      loop.prepared.resolved, data: loop.dataDigest(), loop.prepared.task.compute)
  }
}

extension Receipt {
  /// A start of this program that happens now.
  fileprivate init(
    _ verb: String, _ communicator: any Communicator, _ team: RankTeam, threads: Int, shards: Int? = nil,
    clients: Int? = nil, firstStep: Int, _ configuration: Node, data: String, _ compute: Compute
  ) throws(RunError) {
    self.init(
      attempt: Environment.value("NNDIST_ATTEMPT").flatMap { Int($0) }, verb: verb, ranks: communicator.size,
      threads: threads, shards: shards, clients: clients, hosts: team.hosts,
      transport: Receipt.transport(communicator), firstStep: firstStep,
      configuration: Digest.text(configuration.yaml()), data: data,
      program: try .current(of: compute, isMPI: !(communicator is InProcessCommunicator)))
  }

  /// How ranks are connected, as NNDIST_TRANSPORT names it.
  private static func transport(_ communicator: any Communicator) -> String {
    if communicator.size == 1 { return "none" }
    return switch communicator {
    case is InProcessCommunicator: "threads"
    case is WindowCommunicator: TransportSetting.window.rawValue
    case is HierarchicalCommunicator: "window on each host, messages between them"
    default: TransportSetting.messages.rawValue
    }
  }
}

/// Where ranks run and with which instructions, known to all.
struct RankTeam {
  /// Names of hosts, each once, in the order of ranks.
  let hosts: [String]
  /// What oneDNN uses on them, each once.
  private let instructions: [String]

  /// Asks all ranks.  Collective.
  init(_ communicator: any Communicator) throws(RunError) {
    func distinct(_ text: String) throws(CommunicationError) -> [String] {
      try Agreement.exchange(Array(text.utf8), communicator).map { String(decoding: $0, as: UTF8.self) }
        .reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
    do throws(CommunicationError) {
      hosts = try distinct(HostName.current)
      instructions = try distinct(OneDNN.instructionSet)
    } catch { throw RunError(error) }
  }

  /// What to say where ranks compute in different ways.
  var warning: String? {
    instructions.count == 1
      ? nil
      : "warning: ranks compute with different instructions (\(instructions.joined(separator: "; "))): the result depends on "
        + "which of them computes what"
  }
}
