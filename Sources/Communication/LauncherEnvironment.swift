import Glibc

/// What the launcher of this process says about its ranks, read from the environment without touching MPI.
///
/// A process that no launcher started never pays for MPI. Explicit rank variables come first. Slurm's own variables are
/// also there in a batch script and an interactive allocation, where nobody manages ranks, so they count only in a
/// step of several tasks that comes with a PMI server.
public struct LauncherEnvironment: Sendable, Hashable {
  /// Who numbers the ranks.
  public enum Launcher: String, Sendable {
    /// Open MPI's mpirun.
    case openMPI = "Open MPI"
    /// A PMIx server, such as `srun --mpi=pmix`.
    case pmix = "PMIx"
    /// A PMI-1 or PMI-2 server, such as Hydra or `srun --mpi=pmi2`.
    case pmi = "PMI"
    /// `srun` with a PMI that shows no rank of its own.
    case slurm = "Slurm"
  }

  /// Who numbers the ranks.
  public let launcher: Launcher
  /// This process's rank, from 0.
  public let rank: Int
  /// Ranks in all; nil where only MPI can tell.
  public let size: Int?
  /// This process's rank on its host; nil where only MPI can tell.
  public let localRank: Int?
  /// Ranks on this host; nil where only MPI can tell.
  public let localSize: Int?

  /// What this process's environment says; nil for a process that stands alone.
  public static func detect() -> LauncherEnvironment? {
    detect { name in getenv(name).map { String(cString: $0) } }
  }

  /// What an environment says, given a function that looks variables up.
  public static func detect(_ variable: (String) -> String?) -> LauncherEnvironment? {
    func number(_ names: String...) -> Int? {
      for name in names {
        if let value = variable(name).flatMap({ Int($0) }), value >= 0 { return value }
      }
      return nil
    }
    if let size = number("OMPI_COMM_WORLD_SIZE"), let rank = number("OMPI_COMM_WORLD_RANK"), rank < size {
      return LauncherEnvironment(
        launcher: .openMPI, rank: rank, size: size, localRank: number("OMPI_COMM_WORLD_LOCAL_RANK"),
        localSize: number("OMPI_COMM_WORLD_LOCAL_SIZE"))
    }
    let stepTasks = number("SLURM_STEP_NUM_TASKS")
    if let rank = number("PMIX_RANK"), variable("PMIX_NAMESPACE") != nil {
      return LauncherEnvironment(
        launcher: .pmix, rank: rank, size: stepTasks, localRank: number("SLURM_LOCALID"), localSize: nil)
    }
    if let rank = number("PMI_RANK"), let size = number("PMI_SIZE"), rank < size {
      return LauncherEnvironment(
        launcher: .pmi, rank: rank, size: size, localRank: number("MPI_LOCALRANKID", "PMI_LOCAL_RANK", "SLURM_LOCALID"),
        localSize: number("MPI_LOCALNRANKS", "PMI_LOCAL_SIZE"))
    }
    let hasServer = ["PMI_FD", "PMI_PORT", "PMI2_FD", "PMIX_SERVER_URI", "PMIX_SERVER_URI2", "PMIX_SERVER_URI3"]
      .contains { variable($0) != nil }
    if hasServer, let size = stepTasks, size > 1, let rank = number("SLURM_PROCID"), rank < size {
      return LauncherEnvironment(
        launcher: .slurm, rank: rank, size: size, localRank: number("SLURM_LOCALID"), localSize: nil)
    }
    return nil
  }
}
