import Datasets
import Tensors

/// What an attacker does on its own: to its labels before it trains, or to its change afterwards.
final class AttackStage: UploadStage {
  private let attack: AttackOptions.Kind
  private let attackers: Attackers
  private let changes: [Int]
  private let seed: UInt64
  private let classes: Int32

  init(_ attack: AttackOptions.Kind, _ attackers: Attackers, _ task: FederatedTask, _ plan: FederatedPlan) {
    self.attack = attack
    self.attackers = attackers
    changes = plan.changes
    seed = task.seed
    classes = Int32(task.training.classCount ?? 0)
  }

  func prepare(_ visit: ClientVisit) {
    guard attack == .labelFlip, attackers.contains(visit.client) else { return }
    visit.trainer.relabelling = { [classes] in Attack.flipped(label: $0, classes: classes) }
  }

  func apply(_ visit: ClientVisit, _ record: inout VisitRecord) {
    visit.trainer.relabelling = nil
    guard attackers.contains(visit.client) else { return }
    for part in changes {
      let change = visit.upload.scalars(part)
      switch attack {
      case .gaussian(let deviation):
        Attack.addGaussian(
          to: change, deviation: Float(deviation), seed: seed, round: visit.round, client: visit.client)
      case .signFlip(let scale): Attack.flipSign(of: change, scale: Float(scale))
      case .notFinite: change.update(repeating: .nan)
      case .labelFlip, .littleIsEnough: break
      }
    }
  }
}
