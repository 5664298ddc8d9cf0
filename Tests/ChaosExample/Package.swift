// swift-tools-version: 6.1
import PackageDescription

// A package as a user has it: an actor, its tests, and chaos. Run it with `swift test --package-path Tests/ChaosExample`.

let package = Package(
    name: "chaos-example",
    dependencies: [
        // `name` because a checkout may have any name.
        .package(name: "durable-actors", path: "../..")
    ],
    targets: [
        .testTarget(
            name: "ShopTests",
            dependencies: [
                .product(name: "DurableActors", package: "durable-actors"),
                .product(name: "DurableChaos", package: "durable-actors"),
                .product(name: "DurableTesting", package: "durable-actors"),
            ]
        )
    ]
)
