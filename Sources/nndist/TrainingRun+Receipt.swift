import Communication
import Configuration
import MPICommunication
import Tensors
import Training

extension TrainingRun {
  /// What this start consists of; rank 0's.
  func receipt(
    _ loop: TrainingLoop, _ communicator: any Communicator, _ team: RankTeam
  ) throws(RunError) -> Receipt {
    let isMPI = !(communicator is InProcessCommunicator)
    return Receipt(
      attempt: Environment.value("NNDIST_ATTEMPT").flatMap { Int($0) }, verb: verb, ranks: communicator.size,
      threads: experiment.compute.threads, shards: loop.start.shards, hosts: team.hosts,
      transport: transport(communicator), firstStep: loop.progress.step,
      configuration: Digest.text(loop.prepared.resolved.yaml()), data: loop.dataDigest(),
      program: try .current(of: loop.prepared, isMPI: isMPI))
  }

  /// How ranks are connected, as NNDIST_TRANSPORT names it.
  private func transport(_ communicator: any Communicator) -> String {
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
