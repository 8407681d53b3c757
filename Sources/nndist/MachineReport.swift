import CProcessor
import Configuration
import Datasets
import Foundation
import MPICommunication
import Reporting
import Tensors
import Training

/// What `doctor` looks at, one function a subject.
enum MachineReport {
  enum State: String { case well = "ok", warning, unfit = "missing" }

  struct Finding {
    let subject: String
    var state = State.well
    let text: String
    /// What to do; nil when there is nothing.
    var remedy: String?
  }

  static func all() -> [Finding] {
    [
      processor(), cores(), memory(), oneDNN(), openBLAS(), openMPI(), launcher(), sharedMemory(), data(), disk(),
    ] + variables()
  }

  // MARK: - Processor and memory

  /// The CPU's name.
  static var processorModel: String { line(of: "/proc/cpuinfo", "model name") ?? "a CPU of unknown make" }

  private static func processor() -> Finding {
    let model = processorModel
    let own = String(cString: nndist_processor_instructions())
    let compiled = String(cString: nndist_compiled_instructions())
    if own == compiled { return Finding(subject: "CPU", text: "\(model); it has \(own), which nndist is built for") }
    return Finding(
      subject: "CPU", state: .warning, text: "\(model); it has \(own), and nndist is built for \(compiled)",
      remedy: "build on this machine for its full speed: swift build -c release")
  }

  private static func cores() -> Finding {
    let usable = Host.usableCores
    let all = sysconf(Int32(_SC_NPROCESSORS_ONLN))
    let text = usable == all ? "\(all)" : "\(usable) of \(all) are this process's"
    return Finding(subject: "cores", text: "\(text): as many ranks × threads run side by side")
  }

  private static func memory() -> Finding {
    let available = MachineMemory.available
    let all = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    let text = "\(Numerals.bytes(available)) of \(Numerals.bytes(all)) can be had"
    guard available < 1 << 30 else { return Finding(subject: "memory", text: text) }
    return Finding(
      subject: "memory", state: .warning, text: text,
      remedy: "end other programs, or raise the container's limit; `nndist check CONFIG` says what a step takes")
  }

  // MARK: - Libraries

  private static func oneDNN() -> Finding {
    Finding(subject: "oneDNN", text: "\(OneDNN.version), using \(OneDNN.instructionSet)")
  }

  private static func openBLAS() -> Finding {
    switch OpenBLAS.loaded {
    case .success(let library):
      return Finding(
        subject: "OpenBLAS", text: "\(version(of: library)); used with compute: {backend: openblas}")
    case .failure(let error):
      return Finding(
        subject: "OpenBLAS", state: .warning, text: error.message,
        remedy: "needed only for compute: {backend: openblas}; launch/install-dependencies installs it")
    }
  }

  /// OpenBLAS' version and kernels.
  static func version(of library: OpenBLAS) -> String {
    let version = library.configuration.split(separator: " ").prefix(2).joined(separator: " ")
    return "\(version), \(library.coreType) kernels"
  }

  private static func openMPI() -> Finding { Finding(subject: "MPI", text: mpiVersion) }

  /// MPI's version: the beginning of "Open MPI v4.1.4, package: Debian OpenMPI, ident: …".
  static var mpiVersion: String {
    let version = MPIEnvironment.libraryVersion
    return version.split(separator: ",").first.map(String.init) ?? version
  }

  private static func launcher() -> Finding {
    guard let path = Host.path(of: "mpirun") else {
      return Finding(
        subject: "mpirun", state: .warning, text: "not on the PATH: one process and `nndist simulate` work without it",
        remedy: "launch/install-dependencies installs it")
    }
    let flags = bareFlags()
    if flags.isEmpty { return Finding(subject: "mpirun", text: "\(path), which needs no further flags here") }
    return Finding(
      subject: "mpirun", text: "\(path); launch/mpirun adds what it needs here: \(flags.joined(separator: " "))")
  }

  /// What a bare `mpirun` on this machine has to be told.
  private static func bareFlags() -> [String] {
    var flags: [String] = []
    if geteuid() == 0, Environment.value("OMPI_ALLOW_RUN_AS_ROOT") == nil { flags.append("--allow-run-as-root") }
    flags.append("--oversubscribe beyond \(Host.usableCores) ranks")
    if !Host.mayReadProcesses { flags.append("--mca btl_vader_single_copy_mechanism none") }
    return flags
  }

  private static func sharedMemory() -> Finding {
    guard let space = space(of: "/dev/shm") else {
      return Finding(
        subject: "/dev/shm", state: .warning, text: "not there: ranks of one host exchange through files",
        remedy: "mount a tmpfs at /dev/shm")
    }
    let text = "\(Numerals.bytes(space.free)) of \(Numerals.bytes(space.all)) free"
    guard space.free < 256 << 20 else { return Finding(subject: "/dev/shm", text: text) }
    return Finding(
      subject: "/dev/shm", state: .warning, text: text,
      remedy: "ranks of one host exchange through it; give it 1 GiB (docker run --shm-size=1g)")
  }

  // MARK: - Data, disk, variables

  private static func data() -> Finding {
    let locations = Catalog.locateAll()
    let found = locations.filter { $0.found != nil }.map(\.entry.name)
    let missing = locations.filter { $0.found == nil }.map(\.entry.name)
    return Finding(
      subject: "data",
      text: found.joined(separator: ", ") + (missing.isEmpty ? "" : "; not here: \(missing.joined(separator: ", "))"),
      remedy: missing.isEmpty ? nil : "nndist data list says where each is looked for; nndist data fetch NAME gets it")
  }

  private static func disk() -> Finding {
    let folder = FileManager.default.currentDirectoryPath
    guard access(folder, W_OK) == 0 else {
      return Finding(
        subject: "disk", state: .warning, text: "\(folder) cannot be written",
        remedy: "start in another folder, or say where runs go with --run DIR")
    }
    guard let space = space(of: folder) else { return Finding(subject: "disk", text: folder) }
    let text = "\(Numerals.bytes(space.free)) free in \(folder)"
    guard space.free < 1 << 30 else { return Finding(subject: "disk", text: text) }
    return Finding(
      subject: "disk", state: .warning, text: text,
      remedy: "runs write checkpoints here; free some space, or give --run")
  }

  /// Variables that look as if they were meant for nndist and are none of its own.
  private static func variables() -> [Finding] {
    let known = HelpTopic.variables.map(\.name)
    let strange = Environment.variables(prefix: "NNDIST_").map(\.name).filter {
      !known.contains($0) && !$0.contains("__")
    }
    return strange.map { name in
      let meant = nearest(name, among: known).map { "did you mean \($0)?" }
      return Finding(
        subject: "variables", state: .warning, text: "\(name) is set and means nothing to nndist",
        remedy: meant ?? "nndist help environment lists those that do")
    }
  }

  // MARK: - Looking

  private static func text(of path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

  private static func line(of path: String, _ key: String) -> String? {
    text(of: path)?.split(separator: "\n").first { $0.hasPrefix(key) }?.split(separator: ":", maxSplits: 1).last
      .map { $0.trimmingCharacters(in: .whitespaces) }
  }

  private static func space(of path: String) -> (free: Int, all: Int)? {
    var information = statvfs()
    guard statvfs(path, &information) == 0 else { return nil }
    let block = Int(information.f_frsize)
    return (Int(information.f_bavail) * block, Int(information.f_blocks) * block)
  }
}
