import Testing

/// All suites about communication, one test at a time: each fills the machine with ranks of its own, and ranks of many
/// tests at once would outlast each other's deadlines.
@Suite(.serialized) enum CommunicationSuites {}
