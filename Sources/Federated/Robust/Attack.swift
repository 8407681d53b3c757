import Glibc
import Tensors

/// What attackers send, for experiments with robust rules.  All are functions of seed, round and client.
public enum Attack {
  /// x ← x + deviation · N(0, 1).
  public static func addGaussian(
    to update: UnsafeMutableBufferPointer<Float>, deviation: Float, seed: UInt64, round: Int, client: Int
  ) {
    var random = RandomStream(
      seed: seed, .noise, epoch: UInt64(round), sample: UInt64(client), layer: NoiseStream.attack)
    for i in update.indices { update[i] += deviation * random.normal() }
  }

  /// x ← −scale · x.
  public static func flipSign(of update: UnsafeMutableBufferPointer<Float>, scale: Float = 1) {
    for i in update.indices { update[i] = -scale * update[i] }
  }

  /// The label c of C classes becomes C − 1 − c.
  public static func flipped(label: Int32, classes: Int32) -> Int32 { classes - 1 - label }

  /// The z of "a little is enough": the largest with Φ(z) below (m − f − s) / (m − f), where s = ⌊m/2 + 1⌋ − f honest
  /// clients must side with the attackers (Baruch, Baruch, Goldberg, NeurIPS 2019, algorithm 3, step 1–2).
  /// At least 0: where the attackers need no supporters it is bounded by the last honest client, s = 1.
  public static func littleIsEnough(clients m: Int, attackers f: Int) -> Double {
    precondition(f >= 0 && f < m - 1, "\(f) attackers of \(m)")
    let supporters = max(1, m / 2 + 1 - f)
    return max(0, NormalDistribution.quantile(Double(m - f - supporters) / Double(m - f)))
  }

  /// mean − z · deviation of each coordinate of the honest updates, which every attacker sends (Baruch et al. 2019).
  /// Float64 sums in client order; the deviation divides by their number.  A `power` other than 1 is that of the deviation:
  /// ½ has the attack that Flower's baselines measure, which is far stronger where deviations are small.
  public static func littleIsEnough(
    _ honest: UpdateSet, z: Double, power: Double = 1, into update: UnsafeMutablePointer<Float>
  ) {
    let clients = Double(honest.clients)
    for i in 0..<honest.count {
      var (sum, squares) = (0.0, 0.0)
      for scalars in honest.updates { sum += Double(scalars[i]) }
      let mean = sum / clients
      for scalars in honest.updates { squares += (Double(scalars[i]) - mean) * (Double(scalars[i]) - mean) }
      let deviation = (squares / clients).squareRoot()
      update[i] = Float(mean - z * (power == 1 ? deviation : pow(deviation, power)))
    }
  }
}
