import Foundation
import Testing

@Suite("A full disk is exit 9, and the checkpoints before stay whole")
struct FullDiskTests {
  /// About 220 KB a checkpoint.
  static let experiment = """
    name: disk
    seed: 5
    model: {name: mlp, widths: [256]}
    data: digits
    training: {steps: 12, batch: 64, shards: 2}
    optimizer: {name: adam, learning-rate: 1e-3}
    checkpoint: {every: 3 steps, keep: 2}

    """

  /// Runs a shell script with a small disk at `disk`, which nobody else sees; nil where that is not allowed.
  func onDisk(_ tool: CommandLineTool, kilobytes: Int, _ script: String) throws -> CommandResult? {
    let mount = "mount -t tmpfs -o size=\(kilobytes)k none disk"
    guard try tool.run(program: ["unshare", "--mount", "sh", "-c", mount]).status == 0 else { return nil }
    return try tool.run(program: ["unshare", "--mount", "sh", "-c", "\(mount) && \(script)"])
  }

  @Test("disks of many sizes, alone and with two ranks", arguments: [1, 2])
  func sizes(ranks: Int) throws {
    let tool = try CommandLineTool()
    try tool.write(FullDiskTests.experiment, to: "a.yaml")
    try FileManager.default.createDirectory(atPath: tool.path("disk"), withIntermediateDirectories: true)
    let nndist = try CommandLineTool.executable().path
    var outcomes: Set<Int32> = []
    for kilobytes in [8, 24, 100, 260, 300, 380, 460, 500, 540, 620, 700, 740, 900, 4000] {
      // The exit status, then what is left, which must be whole.
      let script = """
        '\(nndist)' simulate a.yaml --ranks \(ranks) --run disk/run --json --quiet
        code=$?
        echo "exit $code"
        for folder in disk/run/checkpoints/step-*; do
          case "$folder" in *step-[0-9] | *step-[0-9][0-9]) '\(nndist)' inspect "$folder" >/dev/null || echo "broken $folder" ;; esac
        done
        ls disk/run/checkpoints
        """
      guard let result = try onDisk(tool, kilobytes: kilobytes, script) else { return }
      let lines = result.outputLines
      let code = try #require(lines.first { $0.hasPrefix("exit ") }.flatMap { Int32($0.dropFirst(5)) })
      outcomes.insert(code)
      #expect(code == 0 || code == 9, "\(kilobytes) KB: \(result.errors)")
      #expect(!lines.contains { $0.hasPrefix("broken") || $0.contains("partial") }, "\(kilobytes) KB: \(lines)")
      if code == 9 {
        #expect(result.errorLines.filter { $0.contains("error:") }.count == 1, "\(kilobytes) KB: \(result.errors)")
        #expect(result.errors.contains("room for") || result.errors.contains("No space left"), "\(result.errors)")
      } else {
        #expect(lines.contains("step-12"))
      }
    }
    #expect(outcomes == [0, 9])
  }

  @Test("with room again, the run goes on to the end that it would have had")
  func goesOn() throws {
    let tool = try CommandLineTool()
    try tool.write(FullDiskTests.experiment, to: "a.yaml")
    try FileManager.default.createDirectory(atPath: tool.path("disk"), withIntermediateDirectories: true)
    let nndist = try CommandLineTool.executable().path
    let undisturbed = try tool.run("simulate", "a.yaml", "--ranks", "2", "--json")
    // A file takes the room that the second checkpoint needs.
    let script = """
      mkdir disk/run && head -c 700000 /dev/zero > disk/other
      '\(nndist)' simulate a.yaml --ranks 2 --run disk/run --json --quiet
      echo "exit $?"
      rm disk/other
      exec '\(nndist)' simulate a.yaml --ranks 1 --run disk/run --resume --json --quiet
      """
    guard let result = try onDisk(tool, kilobytes: 1100, script) else { return }
    result.expectSuccess()
    #expect(result.outputLines.contains("exit 9"))
    #expect(result.digest == undisturbed.digest)
  }
}
