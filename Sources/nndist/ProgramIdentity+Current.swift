import CProcessor
import Datasets
import MPICommunication
import Tensors
import Training

extension ProgramIdentity {
  /// SHA-256 of this program's file, whatever has become of its path; 2.5 ms a megabyte.
  static func binary() throws(RunError) -> String {
    do { return try Checksum.file("/proc/self/exe") } catch { throw RunError(error) }
  }

  /// This program on this machine, for an experiment.
  static func current(of prepared: PreparedExperiment, isMPI: Bool) throws(RunError) -> ProgramIdentity {
    var blas: String?
    if prepared.compute.backend == .openblas, case .success(let library) = OpenBLAS.loaded {
      blas = MachineReport.version(of: library)
    }
    return ProgramIdentity(
      version: Version.number, binary: try binary(), instructions: String(cString: nndist_compiled_instructions()),
      cpu: MachineReport.processorModel, cpuInstructions: String(cString: nndist_processor_instructions()),
      oneDNN: OneDNN.version, oneDNNInstructions: OneDNN.instructionSet, openBLAS: blas,
      mpi: isMPI ? MachineReport.mpiVersion : nil)
  }
}
