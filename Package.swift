// swift-tools-version: 6.2
import PackageDescription

// The instruction set to compile for: `native` unless NNDIST_MARCH says otherwise, `none` for the compiler's baseline.
// SwiftPM refuses such flags in a dependency, so a checkout below another package is built without them.
let isDependency = Context.packageDirectory.contains("/.build/checkouts/")
let march = Context.environment["NNDIST_MARCH"] ?? "native"
let machine: [SwiftSetting] =
  isDependency || march == "none" ? [] : [.unsafeFlags(["-Xcc", "-march=\(march)"])]

let settings: [SwiftSetting] =
  machine + [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
  ]

/// A folder of `Sources` with the targets it imports. Arrows point down only.
func room(_ name: String, _ dependencies: Target.Dependency...) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// A folder of `Tests`.
func tests(_ name: String, _ dependencies: Target.Dependency..., exclude: [String] = []) -> Target {
  .testTarget(
    name: name, dependencies: dependencies, path: "Tests/\(name)", exclude: exclude, swiftSettings: settings)
}

let package = Package(
  name: "nndist",
  products: [
    .executable(name: "nndist", targets: ["nndist"]),
    .library(
      name: "NNDist",
      targets: [
        "Configuration", "Tensors", "Compression", "Communication", "Layers", "Datasets", "Optimizers", "Learning",
        "Strategies", "Federated", "Training", "Reporting",
      ]),
  ],
  targets: [
    // Library shims: headers only.
    .systemLibrary(name: "CYAML"),
    .systemLibrary(name: "COneDNN"),
    .systemLibrary(name: "COpenBLAS"),
    .systemLibrary(name: "COpenMPI", pkgConfig: "ompi-c"),
    .systemLibrary(name: "CZlib"),
    .systemLibrary(name: "CZip", pkgConfig: "libzip"),
    .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto"),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng16"),
    .systemLibrary(name: "CZeroMQ"),
    .systemLibrary(name: "CSodium", pkgConfig: "libsodium"),
    .systemLibrary(name: "CGFShare", pkgConfig: "libgfshare"),
    .systemLibrary(name: "CMicroHTTPD", pkgConfig: "libmicrohttpd"),
    .systemLibrary(name: "CProcessor"),
    .systemLibrary(name: "CSharedMemory"),
    .systemLibrary(name: "CLaunching"),

    room("Configuration", "CYAML"),
    room("Tensors", "Configuration", "COneDNN", "COpenBLAS"),
    room("Compression", "Configuration", "Tensors"),
    room("Communication"),
    room("MPICommunication", "Communication", "COpenMPI", "CSharedMemory"),
    room("Layers", "Configuration", "Tensors"),
    room("Datasets", "Configuration", "Tensors", "Communication", "CZlib", "CZip", "CPNG", "COpenSSL"),
    room("Optimizers", "Configuration", "Tensors"),
    room("Learning", "Configuration", "Layers", "Datasets", "Communication"),
    room("Strategies", "Configuration", "Tensors", "Compression", "Optimizers", "Communication"),
    room(
      "Federated", "Configuration", "Tensors", "Layers", "Datasets", "Optimizers", "Learning", "Compression",
      "Communication"),
    room(
      "Training", "Configuration", "Tensors", "Layers", "Datasets", "Optimizers", "Learning", "Strategies", "Federated",
      "Communication"),
    room(
      "FederatedNetwork", "Configuration", "Tensors", "Layers", "Datasets", "Optimizers", "Learning", "Compression",
      "Communication", "Federated", "CZeroMQ", "CSodium", "CGFShare", "CMicroHTTPD"),
    room("Reporting", "Configuration", "Federated", "Training"),
    .executableTarget(
      name: "nndist",
      dependencies: [
        "Configuration", "Tensors", "Layers", "Datasets", "Optimizers", "Learning", "Strategies", "Federated",
        "FederatedNetwork", "Communication", "MPICommunication", "Training", "Reporting", "CProcessor", "CLaunching",
      ], swiftSettings: settings),

    tests("ConfigurationTests", "Configuration"),
    tests("TensorsTests", "Tensors"),
    tests("CompressionTests", "Compression", "Tensors"),
    .target(
      name: "CommunicationLaws", dependencies: ["Communication"], path: "Tests/CommunicationLaws",
      swiftSettings: settings),
    .executableTarget(
      name: "MPILaws", dependencies: ["CommunicationLaws", "MPICommunication"], path: "Tests/MPILaws",
      swiftSettings: settings),
    tests("CommunicationTests", "Communication", "CommunicationLaws"),
    tests("LayersTests", "Layers", "Configuration", "Tensors", "Datasets"),
    tests("DatasetsTests", "Datasets", "Configuration", "Tensors"),
    tests(
      "LearningTests", "Learning", "Layers", "Tensors", "Datasets", "Configuration", "Communication", "Optimizers",
      "Strategies", "Training"),
    tests(
      "OptimizersTests", "Optimizers", "Configuration", "Tensors", exclude: ["make_references.py", "references.json"]),
    tests("StrategiesTests", "Strategies", "Communication", "Configuration", "Optimizers", "Tensors"),
    tests(
      "FederatedTests", "Federated", "Communication", "Compression", "Configuration", "Datasets", "Layers", "Learning",
      "Optimizers", "Tensors", "Training"),
    tests(
      "FederatedNetworkTests", "FederatedNetwork", "Federated", "Communication", "Compression", "Configuration",
      "Datasets", "Layers", "Learning", "Optimizers", "Tensors", "Training", "CZeroMQ", "CSodium"),
    tests(
      "TrainingTests", "Training", "Communication", "Configuration", "Tensors", "Federated", "Layers", "Learning",
      "Optimizers", "Strategies", "Datasets"),
    tests(
      "CommandTests", "Configuration", "Datasets", "Federated", "FederatedNetwork", "Learning", "Optimizers",
      "Strategies", "Tensors", "Training",
      "CZeroMQ", "CSodium"),
  ]
)
