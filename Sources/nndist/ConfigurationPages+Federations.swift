import Configuration
import Datasets
import Federated
import Training

// The pages about federations.
extension ConfigurationPages {
  /// The keys of the section `federated:`, without those of what it names.
  static var federatedKeys: [KeyDescription] {
    let chosen = ["federated.strategy", "federated.partition"].map { $0 + "." }
    return FederatedExperiment.document().filter { key in
      (key.key == "federated" || key.key.hasPrefix("federated.")) && !chosen.contains(where: key.key.hasPrefix)
    }
  }

  static var federatedStrategyKeys: [Choice] {
    choices(of: "federated.strategy", FederatedCatalog.all.map { ($0.name, $0.help) }) {
      FederatedExperiment.document(choosing: $0)
    }
  }

  static var federated: String {
    let keys = federatedKeys.filter { $0.key.hasPrefix("federated.") && $0.type != "section" }.map { key in
      (term: String(key.key.dropFirst("federated.".count)), text: explanation(key))
    }
    return page(
      "Federations",
      """
        federated: {strategy: fedavg, clients: 100, cohort: 10, rounds: 50, epochs: 1, batch: 10}

      The section makes a run federated: nndist simulate trains clients one after the other on all cores, nndist train under \
      mpirun spreads them over ranks, and both come to the same parameters_digest. `optimizer:` is that of clients, whose \
      schedule counts rounds; `strategy:` and the lengths of `training:` have no meaning beside it; checkpoint.every counts \
      rounds; compute.threads is by default as many as there are cores for a rank. nndist check says what travels and what is \
      remembered, nndist help partitions who holds what.
      """,
      [("Strategies: federated.strategy", federatedStrategyKeys)])
      + "\n\n" + Terminal.dim("Keys of the section") + "\n\n" + Layout.glossary(keys, indent: 2, width: 22)
  }

  static var partitionKeys: [Choice] {
    PartitionCatalog.all.map { kind in
      Choice(
        name: kind.name, help: kind.help, keys: PartitionCatalog.document(kind), prefix: "federated.partition.")
    }
  }

  static var partitions: String {
    page(
      "Partitions",
      """
        federated: {clients: 100, partition: {name: dirichlet, alpha: 0.5}}

      Who holds which training samples, by seed. `natural` takes the groups of the data for clients where `clients` is left out. \
      nndist data partition CONFIG draws what every client holds.
      """,
      [("", partitionKeys)])
  }
}
