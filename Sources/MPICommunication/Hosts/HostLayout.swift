/// How the ranks of a world lie on its hosts: equally many on each, at least two, one host after the other.
struct HostLayout {
  /// Hosts, at least 2.
  let hosts: Int
  /// Ranks of each host, at least 2.
  let ranksPerHost: Int

  /// The layout where each rank knows the lowest rank on its host; nil where it is another than these.
  init?(lowestRanks: [Int]) {
    let perHost = lowestRanks.prefix { $0 == 0 }.count
    guard perHost > 1, perHost < lowestRanks.count, lowestRanks.count % perHost == 0,
      lowestRanks.indices.allSatisfy({ lowestRanks[$0] == $0 / perHost * perHost })
    else { return nil }
    hosts = lowestRanks.count / perHost
    ranksPerHost = perHost
  }

  /// The host of a rank, from 0.
  func host(of rank: Int) -> Int { rank / ranksPerHost }

  /// The place of a rank on its host, from 0.
  func place(of rank: Int) -> Int { rank % ranksPerHost }

  /// The ranks of a host.
  func ranks(of host: Int) -> [Int] { Array(host * ranksPerHost..<(host + 1) * ranksPerHost) }

  /// The ranks that have a rank's place on their hosts.
  func circle(of rank: Int) -> Circle {
    Circle(place: host(of: rank), size: hosts, firstRank: place(of: rank), distance: ranksPerHost)
  }
}
