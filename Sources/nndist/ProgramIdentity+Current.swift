import CProcessor
import Datasets
import Dispatch
import MPICommunication
import Synchronization
import Tensors
import Training

/// SHA-256 of this program's file, worked out beside whatever else a start does: 0.6 ms a megabyte.
enum OwnBinary {
  private static let outcome = Mutex<Result<String, DataError>?>(nil)
  private static let work: DispatchGroup = {
    let group = DispatchGroup()
    DispatchQueue.global().async(group: group) {
      // The file that runs, whatever has become of its path.
      let result = Result { () throws(DataError) in try Checksum.file("/proc/self/exe") }
      outcome.withLock { $0 = result }
    }
    return group
  }()

  /// Begins to work it out.
  static func begin() { _ = work }

  /// The 64 digits, once they are there.
  static func digest() throws(RunError) -> String {
    work.wait()
    do throws(DataError) { return try outcome.withLock { $0 }?.get() ?? "" } catch { throw RunError(error) }
  }
}

extension ProgramIdentity {
  /// This program on this machine, computing in a way.
  static func current(of compute: Compute, isMPI: Bool) throws(RunError) -> ProgramIdentity {
    var blas: String?
    if compute.backend == .openblas, case .success(let library) = OpenBLAS.loaded {
      blas = MachineReport.version(of: library)
    }
    return ProgramIdentity(
      version: Version.number, binary: try OwnBinary.digest(),
      instructions: String(cString: nndist_compiled_instructions()), cpu: MachineReport.processorModel,
      cpuInstructions: String(cString: nndist_processor_instructions()), oneDNN: OneDNN.version,
      oneDNNInstructions: OneDNN.instructionSet, openBLAS: blas, mpi: isMPI ? MachineReport.mpiVersion : nil)
  }
}
