// swift-tools-version: 6.1
import PackageDescription

/// The same settings as the package that is measured.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "durable-actors-benchmarks",
    products: [
        // Preloaded into what is measured: it counts allocations.
        .library(name: "AllocationCounter", type: .dynamic, targets: ["AllocationCounter"])
    ],
    dependencies: [
        .package(name: "durable-actors", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    ],
    targets: [
        .target(name: "AllocationCounter"),
        .target(name: "CBenchmarks", linkerSettings: [.linkedLibrary("lmdb")]),
        .target(name: "BenchmarkValues", swiftSettings: settings),
        .executableTarget(
            name: "durable-instructions",
            dependencies: ["BenchmarkValues", .product(name: "DurableActors", package: "durable-actors")],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "durable-benchmarks",
            dependencies: [
                "BenchmarkValues", "CBenchmarks",
                .product(name: "DurableActors", package: "durable-actors"),
                .product(name: "DurableBench", package: "durable-actors"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
    ]
)
