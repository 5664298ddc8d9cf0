// swift-tools-version: 6.1
import PackageDescription

/// Whether wrong variants of the product are built in, for the tests to find: see docs/testing/seeded-bugs.md.
let hasSeededBugs = Context.environment["DURABLE_SEEDED_BUGS"] == "1"

/// One list of settings for every target of the package.
let settings: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ] + (hasSeededBugs ? [.define("SEEDED_BUGS")] : [])

let package = Package(
    name: "durable-actors",
    products: [
        .library(name: "DurableActors", targets: ["DurableActors"]),
        .library(name: "DurableBench", targets: ["DurableBench"]),
        .library(name: "DurableChaos", targets: ["DurableChaos"]),
        .library(name: "DurableTesting", targets: ["DurableTesting"]),
        .executable(name: "durable", targets: ["durable"]),
        // For tests only: preloaded into workers, it makes their disk fail.
        .library(name: "DiskFaultShim", type: .dynamic, targets: ["DiskFaultShim"]),
        // For the lanes only: preloaded into workers, it records what they write.
        .library(name: "WriteTraceShim", type: .dynamic, targets: ["WriteTraceShim"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0")
    ],
    targets: [
        // L0: C. The role constructor and thin Linux shims; the system's LMDB.
        .target(name: "CDurable"),
        .target(name: "CChecksum"),
        .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),

        // L1: pure decisions, the codec, the typed store underneath.
        .target(name: "DurableCore", dependencies: ["CChecksum"], swiftSettings: settings),
        .target(name: "CBOR", swiftSettings: settings),
        .target(name: "DurableLMDB", dependencies: ["CLMDB"], swiftSettings: settings),

        // L2: drivers, one a concern.
        .target(name: "DurableProcess", dependencies: ["CDurable", "DurableCore"], swiftSettings: settings),
        .target(name: "DurableTransport", dependencies: ["CDurable"], swiftSettings: settings),
        .target(
            name: "DurableStore",
            dependencies: ["DurableCore", "DurableLMDB", "CBOR"],
            swiftSettings: settings
        ),
        .target(
            name: "DurableSupervisor",
            dependencies: ["DurableCore", "DurableLMDB", "CBOR", "DurableProcess", "DurableTransport"],
            swiftSettings: settings
        ),

        // L3: what users import.
        .target(
            name: "DurableActors",
            dependencies: [
                "DurableCore", "CBOR", "DurableProcess", "DurableTransport", "DurableStore", "DurableSupervisor",
            ],
            // A call begins and ends where its caller is, without changes of executor in between.
            swiftSettings: settings + [.enableUpcomingFeature("NonisolatedNonsendingByDefault")]
        ),

        // L4: kills, seeded.
        .target(
            name: "DurableChaos",
            dependencies: ["DurableActors", "DurableCore", "DurableProcess", "DurableSupervisor"],
            swiftSettings: settings
        ),

        // L4: how long things take on this machine.
        .target(
            name: "DurableBench",
            dependencies: ["DurableActors", "DurableCore", "DurableProcess", "DurableSupervisor", "CBOR"],
            swiftSettings: settings
        ),

        // L5: programs.
        .executableTarget(
            name: "durable",
            dependencies: [
                "DurableActors", "DurableBench", "DurableChaos", "DurableCore", "DurableLMDB", "DurableProcess",
                "DurableStore", "DurableSupervisor", "DurableTransport", "CBOR",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(name: "Examples", dependencies: ["DurableActors"], swiftSettings: settings),
        .executableTarget(name: "RayNotebook", dependencies: ["DurableActors"], swiftSettings: settings),

        // L5: for users' tests, and in no program: the only one that imports Testing.
        .target(
            name: "DurableTesting",
            dependencies: ["DurableActors", "DurableChaos", "DurableCore", "DurableProcess", "DurableSupervisor"],
            swiftSettings: settings
        ),

        // Programs that tests run as processes of their own.
        .executableTarget(
            name: "ProcessTestChild",
            dependencies: ["CDurable", "DurableCore", "DurableProcess"],
            path: "Tests/ProcessTestChild",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "LMDBTestWorker",
            dependencies: ["DurableLMDB"],
            path: "Tests/LMDBTestWorker",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "ActorTestDriver",
            dependencies: ["DurableActors", "DurableChaos"],
            path: "Tests/ActorTestDriver",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "StoreTestChild",
            dependencies: ["DurableStore", "DurableCore", "DurableLMDB"],
            path: "Tests/StoreTestChild",
            swiftSettings: settings
        ),

        // A whole runtime in virtual time: the deciding code is the product's, everything else is made of values.
        .target(
            name: "DurableSimulation",
            dependencies: ["DurableCore", "DurableStore", "DurableChaos"],
            path: "Tests/DurableSimulation",
            swiftSettings: settings
        ),

        // The lanes of trials: short ones in each run of everything, long ones by hand.
        .executableTarget(
            name: "soak",
            dependencies: [
                "DurableActors", "DurableChaos", "DurableCore", "DurableLMDB", "DurableProcess", "DurableSimulation",
                "DurableStore", "DurableSupervisor", "DurableTransport", "CBOR", "SoakSystem",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/soak",
            swiftSettings: settings
        ),

        // Runs programs under test and reports sockets that are not Unix sockets.
        .executableTarget(name: "NetworkGuard", path: "Tests/NetworkGuard"),

        // Preloaded into processes under test.
        .target(name: "DiskFaultShim", path: "Tests/DiskFaultShim"),
        .target(name: "WriteTraceShim", path: "Tests/WriteTraceShim"),

        // Linux calls that Swift cannot make, for the lanes.
        .target(name: "SoakSystem", path: "Tests/SoakSystem"),

        .testTarget(name: "TidyTests", swiftSettings: settings),
        .testTarget(
            name: "DurableBenchTests",
            dependencies: ["DurableBench", "DurableActors", "CBOR"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "DurableCLITests",
            dependencies: [
                "durable", "DurableActors", "DurableBench", "DurableChaos", "DurableCore", "DurableLMDB",
                "DurableStore",
                "DurableSupervisor",
                "CBOR",
            ],
            swiftSettings: settings
        ),
        .testTarget(name: "DurableCoreTests", dependencies: ["DurableCore", "DurableChaos"], swiftSettings: settings),
        .testTarget(
            name: "DurableStoreTests",
            dependencies: ["DurableStore", "DurableCore", "DurableLMDB", "CBOR", "DurableChaos", "StoreTestChild"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "DurableSupervisorTests",
            dependencies: ["DurableSupervisor", "DurableCore", "DurableLMDB"],
            swiftSettings: settings
        ),
        .testTarget(name: "DurableSimulationTests", dependencies: ["DurableSimulation"], swiftSettings: settings),
        .testTarget(name: "CBORTests", dependencies: ["CBOR", "DurableChaos"], swiftSettings: settings),
        .testTarget(
            name: "DurableTransportTests",
            dependencies: ["DurableTransport", "CDurable", "DurableChaos"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "DurableProcessTests",
            dependencies: ["DurableCore", "DurableProcess"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "DurableLMDBTests",
            dependencies: ["DurableLMDB", "DurableChaos", "LMDBTestWorker"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "DurableActorsTests",
            dependencies: [
                "DurableActors", "ActorTestDriver", "DurableCore", "DurableStore", "DurableSupervisor",
                "DurableTransport", "DurableProcess", "DurableLMDB", "CBOR", "DurableChaos",
            ],
            exclude: ["Conformance/cases.txt"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "DurableTestingTests",
            dependencies: ["DurableTesting", "DurableActors", "DurableChaos", "DurableCore", "DurableProcess"],
            swiftSettings: settings
        ),

    ]
)

// Built only with the sanitizer, by `Tests/fuzz/run`: libFuzzer is in no usual build.
if Context.environment["DURABLE_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "fuzz",
            dependencies: ["CBOR", "DurableCore", "DurableStore", "DurableSupervisor", "DurableTransport"],
            path: "Tests/fuzz",
            exclude: ["corpus", "run"],
            swiftSettings: settings
        )
    )
}

if hasSeededBugs {
    package.targets.append(
        .target(
            name: "SeededBugs",
            path: "Tests/seeded-bugs",
            exclude: ["lanes.txt", "run"],
            swiftSettings: settings
        )
    )
    let seeded: Set = [
        "DurableCore", "DurableLMDB", "DurableProcess", "DurableStore", "DurableSupervisor", "DurableActors",
    ]
    for target in package.targets where seeded.contains(target.name) { target.dependencies.append("SeededBugs") }
}
