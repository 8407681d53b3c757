/// An actor: it acts while every input has a filled register and every output a free one.
///
/// An empty input makes it wait for its producers; an output without a free register for its consumers, which is the
/// back-pressure that reaches up to the source. Nobody else schedules it. It ends when an input has ended and is read, when
/// its act says so, or when nobody reads any of its outputs; then it tells its consumers and producers, and only
/// acknowledges what still comes until all is given back.
///
/// `@unchecked Sendable`: after the start, everything but `deliver` runs on the thread of its stream.
final class StreamActor: ActorRecipient, @unchecked Sendable {
  /// What its body did.
  enum Result { case produced, ended, failed }

  let inputs: [InputPort]
  let outputs: [OutputPort]
  private(set) var acts = 0

  private unowned let stream: ActorStream
  private let place: Int
  private let body: @Sendable (ActorTurn) -> Result
  private var hasEnded = false

  init(
    _ stream: ActorStream, place: Int, reading: [RegisterDescriptor], writing: [RegisterDescriptor],
    _ body: @escaping @Sendable (ActorTurn) -> Result
  ) {
    precondition(!reading.isEmpty || !writing.isEmpty, "an actor without registers")
    self.stream = stream
    self.place = place
    self.body = body
    inputs = reading.map(InputPort.init)
    outputs = writing.map(OutputPort.init)
    for (port, descriptor) in reading.enumerated() { descriptor.connect(consumer: self, port: port) }
    for (port, descriptor) in writing.enumerated() { descriptor.connect(producer: self, port: port) }
  }

  /// The most messages that can lie before it: a start; every register and an end from each input; from every consumer of an
  /// output, an acknowledgement of each register and that it reads no more.
  var largestMail: Int {
    inputs.reduce(1) { $0 + $1.descriptor.count + 1 }
      + outputs.reduce(0) { $0 + ($1.descriptor.count + 1) * $1.descriptor.consumerCount }
  }

  /// Whether nothing will come any more, or need come.
  var isFinished: Bool {
    hasEnded && inputs.allSatisfy { $0.hasEnded } && outputs.allSatisfy { $0.outstanding == 0 }
  }

  func deliver(_ message: ActorMessage) { stream.post(message, to: place) }

  /// Takes note of a message and acts as often as it can.
  func receive(_ message: ActorMessage) {
    switch message.kind {
    case .start: for output in outputs { output.begin() }
    case .register:
      let input = inputs[message.port]
      if hasEnded {
        input.descriptor.answer(.acknowledgement, register: message.register)
      } else {
        input.ready.append(message.register)
      }
    case .endOfStream: inputs[message.port].hasEnded = true
    case .acknowledgement: outputs[message.port].acknowledge(message.register)
    case .enough: outputs[message.port].loseInterest()
    }
    while !hasEnded {
      if isOver { return end() }
      guard canAct, !stream.isHalted else { return }
      act()
    }
  }

  private var canAct: Bool { inputs.allSatisfy { !$0.ready.isEmpty } && outputs.allSatisfy { !$0.free.isEmpty } }

  private var isOver: Bool {
    inputs.contains { $0.isExhausted } || !outputs.isEmpty && outputs.allSatisfy { $0.interested == 0 }
  }

  private func act() {
    for output in outputs { output.descriptor.setFilled(output.free.first, output.descriptor.byteCount) }
    let result = body(ActorTurn(actor: self))
    acts += 1
    switch result {
    case .produced:
      for output in outputs { output.descriptor.announce(.register, register: output.lend()) }
      for input in inputs { input.descriptor.answer(.acknowledgement, register: input.ready.removeFirst()) }
    case .ended: end()
    case .failed: stream.fail()
    }
  }

  private func end() {
    hasEnded = true
    for output in outputs { output.descriptor.announce(.endOfStream) }
    for input in inputs {
      if !input.hasEnded { input.descriptor.answer(.enough) }
      while !input.ready.isEmpty {
        input.descriptor.answer(.acknowledgement, register: input.ready.removeFirst())
      }
    }
  }
}
