/// Federated methods on linear regression in Float64, straight from the papers' equations and without looking at the
/// strategies: vectors are weights and a bias, gradients are of the mean squared error over all of a client's samples.
struct AveragingReference {
  typealias Vector = [Double]

  var clients = LinearRegression.clients
  var learningRate = 0.1
  /// Steps of each client in a round.
  var steps = [3, 3, 3, 3]
  var momentum = 0.0
  /// Who takes part in each round.
  var cohorts = [[0, 1, 2, 3], [0, 1, 2, 3]]

  func size(_ client: Int) -> Double { Double(clients[client].count) }

  /// p_k among a cohort.
  func share(_ client: Int, of cohort: [Int]) -> Double { size(client) / cohort.reduce(0) { $0 + size($1) } }

  func gradient(_ client: Int, _ w: Vector) -> Vector {
    var gradient = Vector(repeating: 0, count: w.count)
    for sample in clients[client] {
      var x = sample.map(Double.init)
      let target = x.removeLast()
      x.append(1)
      var error = -target
      for i in w.indices { error += w[i] * x[i] }
      for i in w.indices { gradient[i] += 2 * error * x[i] / size(client) }
    }
    return gradient
  }

  /// w_k after local training; `extra` is added to each step's direction, which momentum does not see.
  func trained(_ client: Int, _ start: Vector, proximal mu: Double = 0, extra: Vector? = nil) -> Vector {
    var (w, motion) = (start, Vector(repeating: 0, count: start.count))
    for _ in 0..<steps[client] {
      let g = gradient(client, w)
      for i in w.indices {
        motion[i] = momentum * motion[i] + g[i]
        w[i] -= learningRate * (motion[i] + mu * (w[i] - start[i]) + (extra?[i] ?? 0))
      }
    }
    return w
  }

  /// Σ p_k x_k.
  func mean(_ cohort: [Int], _ vector: (Int) -> Vector) -> Vector {
    var mean = Vector()
    for client in cohort {
      let x = vector(client)
      if mean.isEmpty { mean = x.map { _ in 0 } }
      for i in x.indices { mean[i] += share(client, of: cohort) * x[i] }
    }
    return mean
  }

  /// Models after each round by a server that is told Σ p_k (w_k − w).
  func rounds(_ initial: [Float], _ server: (_ w: inout Vector, _ change: Vector) -> Void) -> [Vector] {
    var w = initial.map(Double.init)
    return cohorts.map { cohort in
      let average = mean(cohort) { trained($0, w) }
      server(&w, zip(average, w).map { $0 - $1 })
      return w
    }
  }

  func fedAvgM(_ initial: [Float], beta: Double, eta: Double) -> [Vector] {
    // The sign of the paper.
    var v = initial.map { _ in 0.0 }
    return rounds(initial) { w, change in
      for i in w.indices {
        v[i] = beta * v[i] - change[i]
        w[i] -= eta * v[i]
      }
    }
  }

  enum Adaptive { case adagrad, yogi, adam }

  func adaptive(
    _ initial: [Float], _ kind: Adaptive, eta: Double, beta1: Double, beta2: Double, tau: Double
  ) -> [Vector] {
    var (m, v) = (initial.map { _ in 0.0 }, initial.map { _ in 0.0 })
    return rounds(initial) { w, change in
      for i in w.indices {
        let square = change[i] * change[i]
        m[i] = beta1 * m[i] + (1 - beta1) * change[i]
        switch kind {
        case .adagrad: v[i] = v[i] + square
        case .yogi: v[i] = v[i] - (1 - beta2) * square * (v[i] == square ? 0 : v[i] > square ? 1 : -1)
        case .adam: v[i] = beta2 * v[i] + (1 - beta2) * square
        }
        w[i] += eta * m[i] / (v[i].squareRoot() + tau)
      }
    }
  }

  /// FedSGD whose server keeps a momentum.
  func fedSGD(_ initial: [Float], momentum: Double) -> [Vector] {
    var (w, motion) = (initial.map(Double.init), initial.map { _ in 0.0 })
    return cohorts.map { cohort in
      let g = mean(cohort) { gradient($0, w) }
      for i in w.indices {
        motion[i] = momentum * motion[i] + g[i]
        w[i] -= learningRate * motion[i]
      }
      return w
    }
  }

  /// Algorithm 1 with option II; `bySamples` weighs models by samples, variates never.
  func scaffold(_ initial: [Float], eta: Double = 1, bySamples: Bool = false) -> [Vector] {
    var (x, c) = (initial.map(Double.init), initial.map { _ in 0.0 })
    var own = clients.map { _ in c }
    return cohorts.map { cohort in
      var (move, drift) = (x.map { _ in 0.0 }, x.map { _ in 0.0 })
      for client in cohort {
        let extra = zip(c, own[client]).map { $0 - $1 }
        let y = trained(client, x, extra: extra)
        let length = Double(steps[client]) * learningRate
        for i in x.indices {
          let renewed = own[client][i] - c[i] + (x[i] - y[i]) / length
          drift[i] += (renewed - own[client][i]) / Double(cohort.count)
          move[i] += (y[i] - x[i]) * (bySamples ? share(client, of: cohort) : 1 / Double(cohort.count))
          own[client][i] = renewed
        }
      }
      for i in x.indices {
        x[i] += eta * move[i]
        c[i] += Double(cohort.count) / Double(clients.count) * drift[i]
      }
      return x
    }
  }

  /// a of the closed forms, and by unrolling where momentum and proximal term meet.
  func normaliser(_ steps: Int, mu: Double) -> Double {
    let (tau, r) = (Double(steps), momentum)
    func power(_ x: Double) -> Double { (0..<steps).reduce(1) { product, _ in product * x } }
    if mu == 0 { return (tau - r * (1 - power(r)) / (1 - r)) / (1 - r) }
    if r == 0 { return (1 - power(1 - learningRate * mu)) / (learningRate * mu) }
    var (c, a) = (0.0, 0.0)
    for _ in 0..<steps {
      c = r * c + 1
      a = (1 - learningRate * mu) * a + c
    }
    return a
  }

  func fedNova(_ initial: [Float], mu: Double = 0, serverMomentum: Double = 0) -> [Vector] {
    var (w, v) = (initial.map(Double.init), initial.map { _ in 0.0 })
    return cohorts.map { cohort in
      let effective = cohort.reduce(0) { sum, client in
        sum + share(client, of: cohort) * (mu > 0 ? Double(steps[client]) : normaliser(steps[client], mu: mu))
      }
      let direction = mean(cohort) { client in
        let trained = trained(client, w, proximal: mu)
        return zip(w, trained).map { ($0 - $1) / normaliser(steps[client], mu: mu) }
      }
      for i in w.indices {
        v[i] = serverMomentum * v[i] + effective * direction[i]
        w[i] -= v[i]
      }
      return w
    }
  }

  /// Votes of gradients, or of what training has changed.
  func signSGD(_ initial: [Float], eta: Double, ofChange: Bool) -> [Vector] {
    var w = initial.map(Double.init)
    return cohorts.map { cohort in
      var votes = w.map { _ in 0 }
      for client in cohort {
        let move = ofChange ? zip(trained(client, w), w).map { $0 - $1 } : gradient(client, w).map { -$0 }
        for i in w.indices { votes[i] += move[i] > 0 ? 1 : -1 }
      }
      for i in w.indices { w[i] += eta * Double(votes[i].signum()) }
      return w
    }
  }
}
