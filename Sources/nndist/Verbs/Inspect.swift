import Training

/// `nndist inspect PATH`: what lies there.
enum Inspect: Verb {
  static let name = "inspect"
  static let usage = "inspect PATH"
  static let summary = "shows what a run, a checkpoint or an array file holds"
  static let details = """
    PATH is a run, a checkpoint, or a file of arrays (.safetensors, .npy, .npz). Everything is read once: sizes, checksums, \
    and the range of every tensor.
    """
  static let flags: [Flag] = [.json]

  static func run(_ arguments: Arguments) throws(RunError) -> ExitCode {
    let inspection = try Inspection(arguments.positional[0])
    if arguments.has(.json) {
      var object: JSONObject = ["verb": .text(name)]
      object.merge(inspection.json)
      Output.line(object.text)
    } else {
      Output.text(inspection.text)
    }
    return .done
  }
}
