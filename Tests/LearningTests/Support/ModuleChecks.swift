import Datasets
import Layers
import Learning
import Tensors
import Testing
import Training

/// What a rule's modules compute alone, held against the whole.
enum ModuleChecks {
  static let batch = 6

  /// The gradients of one step of the whole program, at initial weights that `change` may have changed.
  static func gradients(_ prepared: PreparedExperiment, _ change: (ParameterStore) -> Void = { _ in }) -> Storage {
    let layout = prepared.model.layout
    let store = ParameterStore(layout)
    layout.initialise(store, seed: 7)
    change(store)
    let block = Storage(zeros: layout.gradientCount)
    run(Programs.training(prepared.learning, prepared.compute, batch: batch), prepared, store, block, nil, nil)
    return block
  }

  /// Runs every module as a program of its own, one after the other, and expects the whole's gradients and statistics of what
  /// each owns, to the bit.
  static func expectModulesMakeTheWhole(_ prepared: PreparedExperiment) throws {
    let learning = try #require(prepared.learning as? any ModularLearning)
    let layout = prepared.model.layout
    let whole = gradients(prepared)
    let store = ParameterStore(layout)
    layout.initialise(store, seed: 7)
    var passed: Storage?
    var owned = 0
    for (index, module) in learning.modules.enumerated() {
      let plan = Programs.training(learning, modules: index..<index + 1, prepared.compute, batch: batch)
      let entering = learning.shapes(enteringModule: index, batch: batch).reduce(0) { $0 + $1.count }
      #expect(plan.incomingBytes == (index == 0 ? 0 : 4 * entering))
      let block = Storage(zeros: layout.gradientCount)
      let made = Storage(zeros: max(1, plan.outgoing.bytes / 4))
      run(plan, prepared, store, block, passed, made)
      passed = made
      for parameter in layout.parameters where module.owns(parameter.name) {
        owned += 1
        #expect(
          block.scalars[parameter.range].elementsEqual(whole.scalars[parameter.range]), "\(parameter.name)")
      }
      for state in layout.states where module.owns(state.name) {
        guard let range = state.statistic else { continue }
        let scalars = range.lowerBound + layout.parameterCount..<range.upperBound + layout.parameterCount
        #expect(block.scalars[scalars].elementsEqual(whole.scalars[scalars]), "\(state.name)")
      }
    }
    #expect(owned == layout.parameters.count, "parameters that no module owns, or several do")
  }

  private static func run(
    _ plan: Plan, _ prepared: PreparedExperiment, _ store: ParameterStore, _ gradients: Storage, _ incoming: Storage?,
    _ outgoing: Storage?
  ) {
    let samples = Batch(capacity: batch, of: prepared.dataset.training)
    samples.fill(from: prepared.dataset.training, samples: (0..<Int32(batch)).map { $0 }[...], epoch: 0)
    var inputs = Executor.Inputs(
      store: store, version: 0, gradients: gradients, samples: samples.input, targets: samples.targets,
      sampleKeys: samples.sampleKeys)
    inputs.targetWeight = 1 / Float(batch)
    inputs.incoming = incoming.map { UnsafeMutableRawPointer($0.base) }
    inputs.outgoing = outgoing.map { UnsafeMutableRawPointer($0.base) }
    Executor(plan, pool: Pool(bytes: plan.poolBytes)).run(inputs)
    withExtendedLifetime((incoming, outgoing, samples)) {}
  }
}
