/// What an act has led to.
public enum ActorOutcome: Sendable {
  /// The outputs are filled: they go to their consumers, the inputs back to their producers.
  case produced
  /// The outputs were not filled and nothing follows: the consumers are told that the stream has ended, and the producers
  /// that nobody reads.
  case ended
}

/// One act of an actor: a filled register of every input and a free one of every output. Must not outlive the act.
public struct ActorTurn {
  let actor: StreamActor

  /// Acts before this one.
  public var number: Int { actor.acts }

  /// What the producer of an input filled.
  public func input(_ port: Int = 0) -> UnsafeRawBufferPointer {
    actor.inputs[port].descriptor.contents(inputRegister(port))
  }

  /// The number of an input's register among those of its descriptor.
  public func inputRegister(_ port: Int = 0) -> Int { actor.inputs[port].ready.first }

  /// Where to write an output: a whole register. All of it counts as filled unless `fill` says otherwise.
  public func output(_ port: Int = 0) -> UnsafeMutableRawBufferPointer {
    actor.outputs[port].descriptor.room(outputRegister(port))
  }

  /// The number of an output's register among those of its descriptor.
  public func outputRegister(_ port: Int = 0) -> Int { actor.outputs[port].free.first }

  /// Says how many bytes of an output, from its first, are filled.
  public func fill(_ port: Int = 0, byteCount: Int) {
    actor.outputs[port].descriptor.setFilled(outputRegister(port), byteCount)
  }
}
