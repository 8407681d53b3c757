import Compression
import Configuration
import Federated
import Foundation
import Layers
import Tensors
import Testing
import Training

@Suite("Masks")
struct MaskLawTests {
  /// Each strategy with what trains it.
  static let all: [MaskTrial] = [
    MaskTrial(strategy: "{name: hidenseek, density: 0.4}"),
    MaskTrial(strategy: "{name: hidenseek, density: 0.4, mode: votes}", optimizer: "{name: adam, learning-rate: 0.5}"),
    MaskTrial(
      strategy: "{name: hidenseek, density: 0.4, mode: votes, tally: hard}",
      optimizer: "{name: adam, learning-rate: 0.5}"),
    MaskTrial(strategy: "{name: hidenseek, density: 0.4, criterion: random}"),
    MaskTrial(strategy: "{name: hidenseek, density: 0.4, criterion: magnitude}"),
    MaskTrial(strategy: "{name: hidenseek, density: 0.4, criterion: snip}"),
    MaskTrial(strategy: "{name: hidenseek, density: 0.4, criterion: grasp}"),
    MaskTrial(strategy: "{name: fedmask, density: 0.4}", optimizer: "{name: adam, learning-rate: 0.5}"),
    MaskTrial(
      strategy: "{name: lotteryfl, density: 0.4, threshold: 0.05}", optimizer: "{name: sgd, learning-rate: 0.1}"),
  ]

  @Test("Neither threads nor ranks change a bit", arguments: all.indices, [(threads: 2, ranks: 1), (1, 2), (2, 3)])
  func invariance(_ index: Int, _ machine: (threads: Int, ranks: Int)) throws {
    var trial = Self.all[index]
    let one = try trial()
    (trial.threads, trial.ranks) = machine
    let other = try trial()
    let isSame = other.bits == one.bits && other.records == one.records
    let hasMoved = one.models[0] != one.models[3]
    #expect(isSame && hasMoved)
  }

  @Test("No method is another under a different name")
  func difference() throws {
    var trials = Self.all
    trials += ["{name: hidenseek, density: 0.3}", "{name: hidenseek, criterion: {name: synflow, steps: 1}}"]
      .map { MaskTrial(strategy: $0) }
    trials.append(MaskTrial(strategy: "fedavg", optimizer: "{name: sgd, learning-rate: 0.1}"))
    let different = Set(try trials.map { try $0().bits }).count
    #expect(different == trials.count)
  }

  @Test("What is kept is the same from seed and density, and is never trained", arguments: [0.1, 0.4, 1])
  func rebuilt(_ density: Double) throws {
    let trial = MaskTrial(strategy: "{name: hidenseek, density: \(density)}")
    let outcome = try trial()
    let task = try trial.prepared().task
    let store = ParameterStore(task.layout)
    for (index, parameter) in task.layout.parameters.enumerated() {
      var random = RandomStream(seed: task.seed, .initialisation, layer: UInt64(index))
      let deviation = (2 / Double(parameter.shape[1])).squareRoot()
      for i in parameter.range { store.parameters.base[i] = Float(deviation * random.normalDouble()) }
    }
    let mask = try SynapticFlow(task.model).prune(store, density: density)
    mask.apply(to: store.parameters.base)
    let frozen = Array(store.parameters.scalars)
    let isFrozen = outcome.models[0] == frozen && outcome.memories.allSatisfy { $0["broadcast/frozen"] == frozen }
    #expect(isFrozen)
    let count = task.layout.parameterCount
    #expect(mask.keptCount == count - Int((1 - density) * Double(count)))
    #expect(outcome.notes.count == 1)
    #expect(outcome.notes.first?.hasPrefix("kept \(mask.keptCount) of \(count) weights: 1.weight") == true)
    for (model, latent) in zip(outcome.models, outcome.memories.map { $0["broadcast/latent"] ?? [] }) {
      for i in 0..<count {
        #expect(model[i].magnitude == frozen[i].magnitude && latent[i].magnitude <= frozen[i].magnitude)
        #expect(frozen[i] == 0 || (model[i] > 0) == (latent[i] >= 0))
      }
    }
    let hasMoved = outcome.models[3] != frozen
    #expect(hasMoved)
  }

  @Test(
    "One bit a weight goes up with the stated scalars, and down what a client has to know",
    arguments: ["change", "soft", "hard"])
  func bytes(_ kind: String) throws {
    var trial = MaskTrial(
      strategy: kind == "change"
        ? "{name: hidenseek, density: 0.3}" : "{name: hidenseek, density: 0.3, mode: votes, tally: \(kind)}")
    trial.rounds = 6
    let reference = try MaskReference(trial)
    let kept = 1184 - Int(0.7 * 1184)
    // 356 weights; sums of five votes have six values, of three bits.
    #expect(kept == 356)
    let (bits, sums) = ((kept + 7) / 8, (3 * kept + 7) / 8)
    let records = try trial().records
    var before: Set<Int> = []
    for (round, record) in records.enumerated() {
      let clients = reference.cohort(round, of: 5)
      let followers = clients.count { before.contains($0) }
      before = Set(clients)
      #expect(record.updates == 5 && record.bytesUp == 5 * (kind == "change" ? bits + 8 : bits))
      switch kind {
      case "change": #expect(record.bytesDown == followers * (sums + 12) + (5 - followers) * 4 * kept)
      case "soft": #expect(record.bytesDown == 5 * (sums + 4))
      default: #expect(record.bytesDown == 5 * bits)
      }
    }
    #expect(Set(records.map(\.bytesDown)).count == (kind == "change" ? 3 : 1))
    // A run that is continued knows who took part before.
    trial.first = 2
    #expect(try trial().records.map(\.bytesDown) == records.dropFirst(2).map(\.bytesDown))
  }

  @Test("FedMask sends which entries a client has and a bit for each, and gets a share for every weight")
  func fedMaskBytes() throws {
    var trial = MaskTrial(strategy: "{name: fedmask, density: 0.3}", optimizer: "{name: adam, learning-rate: 0.5}")
    trial.rounds = 6
    // 1,024 and 160 weights; of five clients' shares there are 21 values, of five bits.
    let kept = 1024 - Int(0.7 * 1024) + 160 - Int(0.7 * 160)
    for record in try trial().records {
      #expect(record.bytesUp == 5 * ((kept + 7) / 8 + 148))
      #expect(record.bytesDown == 5 * 740)
    }
  }

  @Test("Clients that never prune are FedAvg's, to the bit")
  func unpruned() throws {
    var trial = MaskTrial(strategy: "{name: lotteryfl, threshold: 1}", optimizer: "{name: sgd, learning-rate: 0.1}")
    trial.federated = "clients: 6, cohort: 3, batch: 20, weighting: clients"
    trial.model = "{name: mlp, widths: [16]}"
    var own = try trial()
    trial.strategy = "fedavg"
    let other = try trial()
    // Beside the change, three masks of 1,184 weights.
    for round in own.records.indices { own.records[round].bytesUp -= 3 * 148 }
    let isSame = own.bits == other.bits && own.records == other.records
    #expect(isSame)
  }

  @Test("LotteryFL prunes to its density, and sends what is kept with its mask")
  func lotteryBytes() throws {
    var trial = MaskTrial(
      strategy: "{name: lotteryfl, density: 0.5, threshold: 0}", optimizer: "{name: sgd, learning-rate: 0.1}")
    trial.federated = "clients: 3, batch: 20"
    trial.model = "{name: mlp, widths: [16]}"
    trial.rounds = 6
    // 1,024 and 160 weights with 26 biases; four rounds prune to (0.8)⁴.
    var (live, counts) = ([1024, 160], [1210])
    for _ in 0..<4 {
      live = live.map { $0 - Int(0.2 * Double($0)) }
      counts.append(live[0] + live[1] + 26)
    }
    for (round, record) in try trial().records.enumerated() {
      #expect(record.bytesUp == 3 * (4 * counts[min(round + 1, 4)] + 148), "round \(round)")
      #expect(record.bytesDown == 3 * 4 * counts[0], "round \(round)")
    }
  }

  @Test("Every criterion keeps what the density says", arguments: PruningCatalog.all.map { $0.name })
  func criteria(_ name: String) throws {
    var trial = MaskTrial(strategy: "{name: hidenseek, density: 0.25, criterion: \(name)}")
    trial.rounds = 1
    let outcome = try trial()
    let frozen = outcome.block("frozen")
    #expect(frozen.count { $0 != 0 } == 1184 - Int(0.75 * 1184))
    #expect(outcome.records[0].bytesUp == 5 * (37 + 8))
    // Whoever cannot rebuild the mask is sent it.
    #expect(outcome.records[0].bytesDown == 5 * (4 * 296 + (["snip", "grasp"].contains(name) ? 148 : 0)))
    // A pixel that no digit has has no gradient.
    if name == "snip" {
      let reference = try MaskReference(trial)
      for pixel in 0..<64 where reference.clients.allSatisfy({ $0.allSatisfy { $0.input[pixel] == 0 } }) {
        #expect((0..<16).allSatisfy { frozen[$0 * 64 + pixel] == 0 })
      }
    }
  }
}
