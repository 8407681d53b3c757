import Configuration

/// Which write fails: the keys that faults of files have in common.
struct FaultyFile: Sendable {
  /// A pattern for the name of the file; nil for the files of a checkpoint.
  let name: String?
  /// Which of the writes that match, from 1.
  let write: Int

  init(_ options: inout Options) throws(ConfigurationError) {
    name = try options.optionalText(
      "file",
      "the name of the file, such as `model.safetensors`, `*.safetensors`, `metrics.jsonl`, `result.json`; without it any "
        + "file of the step's checkpoint")
    write = try options.integer(
      "write", default: 1, in: 1...1 << 20, "which of the writes in the step that match, from 1")
  }
}
