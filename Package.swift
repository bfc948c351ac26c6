// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
]

let package = Package(
    name: "taxlien-gateway",
    products: [
        .executable(name: "gateway", targets: ["Gateway"]),
        .executable(name: "gateway-bench", targets: ["Bench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        // The only C: kernel, hiredis, libpq and OpenSSL, behind one prefixed header (creactor.h).
        .target(
            name: "CReactor",
            cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE"])],
            linkerSettings: [
                .linkedLibrary("hiredis"), .linkedLibrary("pq"), .linkedLibrary("ssl"), .linkedLibrary("crypto"),
                .linkedLibrary("uring"),
            ]),
        .target(
            name: "Reactor",
            dependencies: ["CReactor"],
            swiftSettings: strict),
        .executableTarget(
            name: "Gateway",
            dependencies: [
                "Reactor",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ],
            resources: [
                .embedInCode("Work/Scripts"), .embedInCode("Cache/Scripts"), .embedInCode("App/Migrations"),
                .embedInCode("Routes/Defaults"), .embedInCode("Tiers/Scripts"), .embedInCode("Tiers/Defaults"),
                .embedInCode("Docs/Assets"), .embedInCode("Ops/Page"),
            ],
            swiftSettings: strict + [.strictMemorySafety()]),
        .executableTarget(
            name: "Bench",
            dependencies: [
                "Reactor",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            swiftSettings: strict),
        .target(name: "TestSupport", dependencies: ["Reactor"], path: "Tests/TestSupport", swiftSettings: strict),
        .testTarget(
            name: "ReactorTests", dependencies: ["Reactor", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "GatewayTests",
            dependencies: ["Gateway", "TestSupport", .product(name: "JWTKit", package: "jwt-kit")],
            swiftSettings: strict),
        .testTarget(
            name: "BenchTests", dependencies: ["Bench", "Reactor", "TestSupport"], swiftSettings: strict),
    ]
)
