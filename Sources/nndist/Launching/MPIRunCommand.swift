import Glibc
import Training

/// mpirun with the settings that nndist needs, and the environment to start it in.
///
/// Added to the words that are given:
/// - as root, the permission that mpirun asks for;
/// - on one host: a core for each thread of each rank when there are enough, otherwise oversubscription with yielding, since
///   Open MPI waits by spinning and ranks that share a core would spin away each other's time;
/// - one thread a rank inside the libraries, unless OMP_NUM_THREADS or OPENBLAS_NUM_THREADS say otherwise;
/// - between hosts, gradients that leave at once instead of after the receiver's consent;
/// - plain copies through shared memory where the kernel forbids reading another process;
/// - all variables `NNDIST_…`, also for ranks on other hosts;
/// - NNDIST_KILL_SECONDS (2): how long ranks may go on after one of them failed.
///
/// Binding and mapping options among the words take the place of those added. Open MPI's own report on a failed rank is left
/// out for nndist, which says in one line what went wrong; NNDIST_MPIRUN_VERBOSE=1 shows it.
struct MPIRunCommand {
  /// mpirun's file.
  let program: String
  /// What follows it.
  let words: [String]
  /// Variables by name.
  private(set) var environment: [String: String]
  /// How long ranks may go on after one of them failed.
  let killSeconds: Double

  /// The command for words as they follow `mpirun`; `nndist` among them is this program.  Throws where mpirun is missing.
  init(_ given: [String], variables: [String: String] = [:]) throws(RunError) {
    guard let program = Host.path(of: "mpirun") else {
      throw RunError(.internalError, "no mpirun on the PATH: run launch/install-dependencies")
    }
    self.program = program
    environment = Dictionary(Environment.variables(prefix: "").map { ($0.name, $0.value) }) { first, _ in first }
    environment.merge(variables) { $1 }
    if geteuid() == 0 {
      environment["OMPI_ALLOW_RUN_AS_ROOT"] = "1"
      environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
    }
    let libraries = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
    for name in libraries where environment[name, default: ""].isEmpty { environment[name] = "1" }
    let settings = Settings(job: JobWords(given), environment: environment)
    killSeconds = Double(settings.killSeconds) ?? 2
    words =
      ["--mca", "odls_base_sigkill_timeout", settings.killSeconds]
      + (settings.spansHosts ? settings.betweenHosts : settings.onOneHost)
      + (Host.mayReadProcesses ? [] : ["--mca", "btl_vader_single_copy_mechanism", "none"])
      + (libraries + environment.keys.filter { $0.hasPrefix("NNDIST_") }.sorted()).flatMap { ["-x", $0] }
      + settings.job.words
  }
}

/// What follows from a job's words and the environment.
private struct Settings {
  let job: JobWords
  let environment: [String: String]

  /// A variable's value; nil when it is absent or empty.
  private func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }

  /// Open MPI leaves a rank so many seconds between SIGCONT, SIGTERM and SIGKILL, one by default. It sits out twice this after
  /// every failed rank, even when all are gone, so more is paid for; a stop by signal does not need it.
  var killSeconds: String { value("NNDIST_KILL_SECONDS") ?? "2" }

  var spansHosts: Bool {
    job.namesHosts || (value("SLURM_JOB_NUM_NODES") ?? "1") != "1" || value("OMPI_MCA_orte_default_hostfile") != nil
  }

  var onOneHost: [String] {
    let cores = Host.usableCores
    let busy = (job.ranks ?? cores) * job.threads
    var options: [String] = []
    if busy > cores {
      options += ["--mca", "mpi_yield_when_idle", "1"]
      if !job.placesRanks { options += ["--oversubscribe", "--bind-to", "none"] }
    } else if !job.placesRanks {
      let physical = Host.physicalCores
      if busy <= physical, cores >= physical {
        options += ["--bind-to", "core", "--map-by", "slot:PE=\(job.threads)"]
      } else {
        // Some threads share a core, or we have only a part of the machine: the scheduler places them better.
        options += ["--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "0"]
      }
    }
    if job.startsNndist, value("NNDIST_MPIRUN_VERBOSE") == nil { options.append("-q") }
    return options
  }

  /// Over TCP a message of up to the eager limit leaves at once. A larger one waits for the receiver's consent, and each of
  /// its turns for the next poll, which comes between operations: buckets of small networks would hardly be hidden behind a
  /// backward pass. Received messages lie in pieces of the larger of the two sizes, which must leave room for a header.
  var betweenHosts: [String] {
    [("OMPI_MCA_btl_tcp_eager_limit", "262144"), ("OMPI_MCA_btl_tcp_max_send_size", "524288")].flatMap { name, size in
      ["-x", "\(name)=\(value(name) ?? size)"]
    }
  }
}
