import Communication
import Testing

extension CommunicationSuites {
  @Suite("Launchers are known by what they put into the environment")
  struct LauncherTests {
    private func detect(_ variables: [String: String]) -> LauncherEnvironment? {
      LauncherEnvironment.detect { variables[$0] }
    }

    @Test("no launcher")
    func none() {
      #expect(detect([:]) == nil)
      #expect(detect(["OMPI_COMM_WORLD_SIZE": "two", "OMPI_COMM_WORLD_RANK": "0"]) == nil)
      #expect(detect(["OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "2"]) == nil)
    }

    @Test("Open MPI's mpirun")
    func openMPI() {
      let found = detect([
        "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_LOCAL_RANK": "1",
        "OMPI_COMM_WORLD_LOCAL_SIZE": "2", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "9", "PMIX_RANK": "3",
        "PMIX_NAMESPACE": "job",
      ])
      #expect(found?.launcher == .openMPI)
      #expect(found?.rank == 3 && found?.size == 4 && found?.localRank == 1 && found?.localSize == 2)
    }

    @Test("srun with PMIx, with PMI-2, and Hydra")
    func managed() {
      let slurm = ["SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "5", "SLURM_LOCALID": "1"]
      let pmix = detect(slurm.merging(["PMIX_RANK": "5", "PMIX_NAMESPACE": "slurm.pmix.1.0"]) { $1 })
      #expect(pmix?.launcher == .pmix && pmix?.rank == 5 && pmix?.size == 8 && pmix?.localRank == 1)
      let hydra = detect(["PMI_RANK": "1", "PMI_SIZE": "2", "MPI_LOCALRANKID": "1", "MPI_LOCALNRANKS": "2"])
      #expect(hydra?.launcher == .pmi && hydra?.rank == 1 && hydra?.size == 2 && hydra?.localSize == 2)
      let pmi2 = detect(slurm.merging(["PMI2_FD": "7"]) { $1 })
      #expect(pmi2?.launcher == .slurm && pmi2?.rank == 5 && pmi2?.size == 8)
    }

    @Test("Slurm's variables alone do not make ranks")
    func unmanaged() {
      // A batch script, an interactive allocation, and srun without MPI.
      #expect(detect(["SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_NTASKS": "4"]) == nil)
      #expect(detect(["SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0", "PMI2_FD": "7"]) == nil)
      #expect(detect(["SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "2"]) == nil)
    }
  }
}
