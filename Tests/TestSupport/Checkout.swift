// Where things are: the checkout this file was compiled in, and the folder of the built products.

import Foundation

public enum Checkout {
    /// The checkout's root: three folders above this file.
    public static let root: String = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// A script of the checkout.
    public static func script(_ name: String) -> String { "\(root)/scripts/\(name)" }

    /// Where the test bundle was built; the gateway lies beside it.
    public static let productFolder: String = {
        let executable = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: executable).deletingLastPathComponent().path
    }()

    /// The gateway's binary: GATEWAY_TEST_BINARY in the environment, else the one that was built with the tests.
    public static var gatewayBinary: String {
        get throws {
            let path = ProcessInfo.processInfo.environment["GATEWAY_TEST_BINARY"] ?? "\(productFolder)/gateway"
            guard FileManager.default.isExecutableFile(atPath: path) else {
                throw TestFailure("no gateway binary at \(path): run `swift build` first")
            }
            return path
        }
    }
}
