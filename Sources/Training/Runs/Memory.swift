import Glibc

/// Memory of this process, in bytes, as the kernel counts it.
public enum ProcessMemory {
  /// The most that was ever resident; 0 where the kernel does not say.
  public static var peak: Int { field("VmHWM") }
  /// What is resident now.
  public static var current: Int { field("VmRSS") }

  /// Counts the peak anew from what is resident now; does nothing where the kernel does
  /// not let it.
  public static func resetPeak() {
    let file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    _ = write(file, "5", 1)
    close(file)
  }

  private static func field(_ name: String) -> Int {
    MachineMemory.kibibytes(Files.text(of: "/proc/self/status") ?? "", name) ?? 0
  }
}

/// Memory of the machine, in bytes, as far as this process may use it.
public enum MachineMemory {
  /// What can be had now without swapping: the kernel's estimate, or less where a control group limits the process.
  public static var available: Int { available(root: "") }

  /// The name of the machine whose memory it is; empty where it has none.
  package static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "" }
    return name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  /// The same, read from the files below another root than `/`.
  public static func available(root: String) -> Int {
    let machine = kibibytes(Files.text(of: root + "/proc/meminfo") ?? "", "MemAvailable") ?? Int.max
    let groups = Files.text(of: root + "/proc/self/cgroup") ?? ""
    var least = machine
    for line in groups.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let unified = parts[1].isEmpty
      guard unified || parts[1].split(separator: ",").contains("memory") else { continue }
      let mount = root + (unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory")
      // The limits of all groups above hold as well; inside a container the path may not be visible, the mount's top is.
      var group = String(parts[2])
      while true {
        if let left = unified ? left(mount + group) : leftOfFirstVersion(mount + group) { least = min(least, left) }
        if group.isEmpty || group == "/" { break }
        group = Files.folder(of: group)
        if group == "." { group = "" }
      }
    }
    return least
  }

  /// What a group of version 2 may still take: its limit less what it holds and cannot give back.
  private static func left(_ folder: String) -> Int? {
    guard let limit = number(folder + "/memory.max"), let used = number(folder + "/memory.current") else { return nil }
    return max(0, limit - max(0, used - reclaimable(folder, "inactive_file")))
  }

  /// The same for version 1, where "no limit" is a number beyond any memory.
  private static func leftOfFirstVersion(_ folder: String) -> Int? {
    guard let limit = number(folder + "/memory.limit_in_bytes"), let used = number(folder + "/memory.usage_in_bytes")
    else { return nil }
    return max(0, limit - max(0, used - reclaimable(folder, "total_inactive_file")))
  }

  private static func number(_ path: String) -> Int? {
    guard let text = Files.text(of: path, limit: 1 << 12) else { return nil }
    return text.split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) }
  }

  /// Cached pages of files, which the kernel drops before it refuses memory.
  private static func reclaimable(_ folder: String, _ name: String) -> Int {
    for line in (Files.text(of: folder + "/memory.stat") ?? "").split(separator: "\n") {
      let parts = line.split(separator: " ")
      if parts.count == 2, parts[0] == name { return Int(parts[1]) ?? 0 }
    }
    return 0
  }

  /// The bytes of a line `Name:   123 kB`.
  static func kibibytes(_ text: String, _ name: String) -> Int? {
    for line in text.split(separator: "\n") where line.hasPrefix(name + ":") {
      let parts = line.split(whereSeparator: \.isWhitespace)
      if parts.count >= 2, let value = Int(parts[1]) { return value * 1024 }
    }
    return nil
  }
}

extension MachineMemory {
  /// Refuses what needs more bytes than there are: allocating them would end the process without a word.
  static func require(_ bytes: Double, for purpose: String, _ remedy: String) throws(RunError) {
    let free = Double(available)
    guard bytes > free else { return }
    func gibibytes(_ bytes: Double) -> String { "\((bytes / 0x1p30 * 10).rounded() / 10) GiB" }
    throw RunError(
      .refused, "\(purpose) needs \(gibibytes(bytes)) of memory, and \(gibibytes(free)) are free; \(remedy)")
  }
}
