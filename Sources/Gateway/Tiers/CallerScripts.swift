// The scripts of rates and quotas as Redis knows them, and how the keys are spelled. Immutable; shared by all reactors.
// Keys of one account lie in one slot of a Redis Cluster.

import Reactor

struct CallerScripts: Sendable {
    static let prefix = "gateway:{caller:"

    let admit = RedisScript(String(decoding: PackageResources.caller_admit_lua, as: UTF8.self))
    let giveBack = RedisScript(String(decoding: PackageResources.caller_return_lua, as: UTF8.self))

    var all: [RedisScript] { [admit, giveBack] }

    static func bucket(_ account: String) -> String { "\(prefix)\(account)}:rate" }

    static func counter(_ account: String, _ feature: Feature, _ window: String) -> String {
        "\(prefix)\(account)}:used:\(feature.name):\(window)"
    }

    /// Where a charge, or its giving back, is remembered for as long as a script might be sent again.
    static func mark(_ account: String, _ serial: String) -> String { "\(prefix)\(account)}:mark:\(serial)" }
}
