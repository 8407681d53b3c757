import Reporting
import Training

/// `nndist doctor`: whether this machine is fit, and what to do where it is not.
enum Doctor: Verb {
  static let name = "doctor"
  static let usage = "doctor"
  static let summary = "reports whether this machine is fit, and what to mend"
  static let details = """
    Every line is well, or says what to do. The exit code is 0, or 1 where something that nndist cannot do without is \
    missing.
    """
  static let flags: [Flag] = [.json]
  static let words = 0...0

  static func run(_ arguments: Arguments) throws(RunError) -> ExitCode {
    let findings = MachineReport.all()
    let code: ExitCode = findings.contains { $0.state == .unfit } ? .internalError : .done
    if arguments.has(.json) {
      let list = findings.map { finding -> JSONValue in
        [
          "subject": .text(finding.subject), "state": .text(finding.state.rawValue), "text": .text(finding.text),
          "remedy": finding.remedy.map { .text($0) } ?? nil,
        ]
      }
      let object: JSONObject = [
        "verb": .text(name), "fit": .flag(code == .done),
        "warnings": .integer(findings.filter { $0.state == .warning }.count), "findings": .list(list),
      ]
      Output.line(object.text)
      return code
    }
    let width = findings.map(\.subject.count).max() ?? 0
    for finding in findings {
      let mark =
        switch finding.state {
        case .well: Terminal.green("ok     ")
        case .warning: Terminal.yellow("warning")
        case .unfit: Terminal.red("missing")
        }
      let padding = String(repeating: " ", count: width - finding.subject.count + 2)
      let indent = 9 + width + 2
      let text = Layout.wrapped(finding.text, indent: indent).dropFirst(indent)
      Output.line("\(mark)  \(finding.subject)\(padding)\(text)")
      if let remedy = finding.remedy { Output.line(Layout.wrapped("→ " + remedy, indent: indent)) }
    }
    Output.line("")
    let warnings = findings.filter { $0.state == .warning }.count
    Output.line(
      code == .done
        ? warnings == 0 ? "this machine is fit" : "this machine is fit; \(warnings) to look at"
        : "this machine is not fit: see what is missing above")
    return code
  }
}
