import Federated
import Testing

/// Rounds against Float64, each from where the rounds before have led.
@Suite("Rounds of masks are what their formulas say")
struct MaskReferenceTests {
  private static let all = "clients: 2, batch: all, partition: iid"

  @Test("The change of latents: bits of root mean square size, within ±|w₀|")
  func change() throws {
    let trial = MaskTrial(
      strategy: "{name: hidenseek, density: 0.6}", federated: Self.all, model: MaskReference.model,
      optimizer: "{name: sgd, learning-rate: 0.5}", rounds: 8)
    let reference = try MaskReference(trial)
    let outcome = try trial()
    let frozen = outcome.block("frozen").map(Double.init)
    let kept = frozen.indices.filter { frozen[$0] != 0 }
    var (certain, moved, expected) = (0, 0.0, 0.0)
    for round in 0..<8 {
      let weights = outcome.models[round].map(Double.init)
      let start = (outcome.memories[round]["broadcast/latent"] ?? []).map(Double.init)
      let end = (outcome.memories[round + 1]["broadcast/latent"] ?? []).map(Double.init)
      func clip(_ latent: Double, _ i: Int) -> Double { min(abs(frozen[i]), max(-abs(frozen[i]), latent)) }
      let changes = (0..<2).map { client in
        let gradient = reference.gradient(client, at: weights)
        return frozen.indices.map { clip(start[$0] - 0.5 * gradient[$0], $0) - start[$0] }
      }
      let scales = changes.map { change in
        (kept.reduce(0) { $0 + change[$1] * change[$1] } / Double(kept.count)).squareRoot()
      }
      let scale = (scales[0] + scales[1]) / 2
      for i in kept {
        // Two bits: the latent moves by the scale up or down, or not at all.
        let ends = [-scale, 0, scale].map { clip(start[i] + $0, i) }
        #expect(ends.contains { abs($0 - end[i]) < 1e-6 }, "scalar \(i) of round \(round)")
        let shares = (0..<2).map { max(-1, min(1, changes[$0][i] / scales[$0])) }
        if shares.allSatisfy({ abs($0) == 1 }) {
          certain += 1
          #expect(abs(end[i] - clip(start[i] + scale * (shares[0] + shares[1]) / 2, i)) < 1e-6)
        }
        // Of latents far from their bounds the mean is to be met.
        if abs(start[i]) + scale < abs(frozen[i]) {
          moved += (end[i] - start[i]) * (shares[0] + shares[1])
          expected += scale * (shares[0] + shares[1]) * (shares[0] + shares[1]) / 2
        }
      }
    }
    #expect(certain > 100 && expected > 0 && abs(moved / expected - 1) < 0.2, "\(moved) for \(expected)")
  }

  @Test("Votes: means or majorities of signs, a tie keeps the old bit", arguments: ["soft", "hard"])
  func votes(_ tally: String) throws {
    let trial = MaskTrial(
      strategy: "{name: hidenseek, density: 0.6, mode: votes, tally: \(tally), alpha: 0.5}", federated: Self.all,
      model: MaskReference.model, optimizer: "{name: sgd, learning-rate: 100}")
    let reference = try MaskReference(trial)
    let outcome = try trial()
    let frozen = outcome.block("frozen").map(Double.init)
    var (ties, flips) = (0, 0)
    for round in 0..<3 {
      let start = (outcome.memories[round]["broadcast/latent"] ?? []).map(Double.init)
      let end = (outcome.memories[round + 1]["broadcast/latent"] ?? []).map(Double.init)
      let gradients = (0..<2).map { reference.gradient($0, at: outcome.models[round].map(Double.init)) }
      for i in frozen.indices {
        guard frozen[i] != 0 else {
          #expect(end[i] == 0)
          continue
        }
        let latents = gradients.map { start[i] - 100 * $0[i] * frozen[i] }
        // Too near to 0 for Float32 to say.
        if latents.contains(where: { abs($0) < 1e-4 && $0 != start[i] }) { continue }
        let sum = latents.reduce(0.0) { $0 + ($1 >= 0 ? 1 : -1) }
        ties += sum == 0 && start[i] < 0 ? 1 : 0
        flips += sum < 0 ? 1 : 0
        #expect(end[i] == (tally == "soft" ? 0.25 * sum : sum == 0 ? start[i] : sum > 0 ? 0.5 : -0.5), "scalar \(i)")
        #expect(Double(outcome.models[round + 1][i]) == (end[i] >= 0 ? frozen[i] : -frozen[i]))
      }
    }
    #expect(flips > 20)
    if tally == "hard" { #expect(ties > 0) }
  }

  @Test("FedMask: each client keeps its own greatest latents; shares are of those who have an entry")
  func fedMask() throws {
    let trial = MaskTrial(
      strategy: "{name: fedmask, density: 0.5}", federated: "clients: 3, batch: all, partition: iid",
      model: MaskReference.model, optimizer: "{name: sgd, learning-rate: 100}", rounds: 1)
    let reference = try MaskReference(trial)
    let outcome = try trial()
    let frozen = outcome.block("frozen").map(Double.init)
    #expect(frozen.allSatisfy { $0 != 0 } && outcome.models[0].map(Double.init) == frozen)
    var (holders, set, unsure) = ([Int](repeating: 0, count: 640), [Int](repeating: 0, count: 640), Set<Int>())
    for client in 0..<3 {
      let gradient = reference.gradient(client, at: frozen)
      let latents = frozen.indices.map { 1 - 100 * gradient[$0] * frozen[$0] }
      let held = MaskReference.greatest(320, of: latents, among: Array(frozen.indices))
      let least = held.map { latents[$0] }.min() ?? 0
      for i in frozen.indices {
        if abs(latents[i]) < 1e-4 || (latents[i] != least && abs(latents[i] - least) < 1e-4) { unsure.insert(i) }
        holders[i] += held.contains(i) ? 1 : 0
        set[i] += held.contains(i) && latents[i] > 0 ? 1 : 0
      }
    }
    let shares = outcome.block("shares")
    #expect(unsure.count < 20 && Set(shares).isSuperset(of: [-1, 1]))
    for i in frozen.indices where !unsure.contains(i) {
      #expect(shares[i] == (holders[i] < 2 ? -1 : Float(set[i]) / Float(holders[i])), "entry \(i)")
      #expect(Double(outcome.models[1][i]) == (shares[i] < 0 || shares[i] > 0.5 ? frozen[i] : 0))
    }
  }

  @Test("LotteryFL: tickets start over from initial weights, and each weight is the mean of those who keep it")
  func lottery() throws {
    var trial = MaskTrial(
      strategy: "{name: lotteryfl, density: 0.3, threshold: 0.5, prune: 0.3}",
      federated: "clients: 4, cohort: 2, batch: all, epochs: 3, partition: {name: shards, shards-per-client: 2}",
      model: MaskReference.model, optimizer: "{name: sgd, learning-rate: 0.5}", rounds: 12)
    let reference = try MaskReference(trial)
    let outcome = try trial()
    let initial = outcome.models[0].map(Double.init)
    var masks = [Set<Int>](repeating: Set(initial.indices), count: 4)
    var (prunings, partly) = (0, 0)
    for round in 0..<12 {
      let server = outcome.models[round].map(Double.init)
      let cohort = reference.cohort(round, of: 2)
      var trained: [Int: [Double]] = [:]
      for client in cohort {
        var weights = initial.indices.map { masks[client].contains($0) ? server[$0] : 0 }
        let accuracy = reference.accuracy(client, at: weights)
        if accuracy > 0.5, Double(masks[client].count) > 0.3 * 640 {
          let live = masks[client].count
          masks[client] = MaskReference.greatest(
            live - Int(0.3 * Double(live)), of: weights.map { abs($0) }, among: Array(masks[client]))
          weights = initial.indices.map { masks[client].contains($0) ? initial[$0] : 0 }
          prunings += 1
        }
        for _ in 0..<3 {
          let gradient = reference.gradient(client, at: weights)
          for i in masks[client] { weights[i] -= 0.5 * gradient[i] }
        }
        trained[client] = weights
      }
      for i in initial.indices {
        let keepers = cohort.filter { masks[$0].contains(i) }
        partly += keepers.count == 1 ? 1 : 0
        let mean = keepers.reduce(0) { $0 + (trained[$1]?[i] ?? 0) } / Double(max(1, keepers.count))
        let expected = keepers.isEmpty ? server[i] : mean
        #expect(abs(Double(outcome.models[round + 1][i]) - expected) < 1e-5, "round \(round)")
      }
    }
    #expect(prunings > 4 && partly > 100)
    trial.strategy = "{name: lotteryfl, threshold: 1}"
    let differs = try trial().bits != outcome.bits
    #expect(differs)
  }
}
