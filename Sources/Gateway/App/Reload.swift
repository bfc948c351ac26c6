// Reads again what an operator may change under a running process, and has all reactors go by it. On the signal's thread.
// What is bad keeps what was, alone, with one line in the log. Source: operations.md section 1.

import Logging
import Reactor

/// One thing that SIGHUP reads again.
struct Reloadable: Sendable {
    /// What the log calls it.
    var name: String
    /// Puts what was read into the tables.
    var read:
        @Sendable (_ configuration: GatewayConfiguration, _ tables: inout ReloadedTables) throws(BadTableFile) -> Void

    static let tokens = Reloadable(name: "tokens") { configuration, tables in
        tables.takeTokens(configuration)
    }

    static let routes = Reloadable(name: "routes") { configuration, tables throws(BadTableFile) in
        try tables.takeRoutes(
            PublicRoutes.load(configuration.routesFile), hasPreflights: !configuration.corsOrigins.isEmpty,
            name: configuration.routesFile ?? "the built-in routes")
    }

    static let tiers = Reloadable(name: "tiers") { configuration, tables throws(BadTableFile) in
        tables.tiers = try TierTable.load(configuration.tiersFile)
    }
}

extension GatewayConfiguration {
    /// Settings that hold from the next SIGHUP on; all others hold for the life of the process.
    static let reloadedNames: Set<String> = [
        "GATEWAY_WORKER_TOKENS", "GATEWAY_OPS_TOKENS", "GATEWAY_SSR_SERVICE_TOKEN", "GATEWAY_SERVICE_TOKEN",
        "GATEWAY_ROUTES_FILE", "GATEWAY_TIERS_FILE",
    ]

    /// This one with another's settings where those may change.
    func reloaded(from new: GatewayConfiguration) -> GatewayConfiguration {
        var result = self
        result.workerTokens = new.workerTokens
        result.opsTokens = new.opsTokens
        result.ssrServiceToken = new.ssrServiceToken
        result.serviceToken = new.serviceToken
        result.routesFile = new.routesFile
        result.tiersFile = new.tiersFile
        return result
    }
}

final class Reload: Sendable {
    typealias Settings = @Sendable () -> LoadedConfiguration

    /// What is read, in this order; each stands or fails alone.
    private static let all: [Reloadable] = [.tokens, .routes, .tiers]

    private struct State {
        var configuration: GatewayConfiguration
        var tables: ReloadedTables
    }

    private let settings: Settings
    private let security: TransportSecurity
    private let state: Locked<State>
    private let logger = Logger(label: "gateway")

    init(
        _ configuration: GatewayConfiguration, _ tables: ReloadedTables, _ security: TransportSecurity,
        settings: @escaping Settings
    ) {
        self.settings = settings
        self.security = security
        state = Locked(State(configuration: configuration, tables: tables))
    }

    /// Reads everything again.
    /// - Parameter apply: has the reactors go by the new tables.
    func run(apply: (ReloadedTables) -> Void) {
        state.withLock { state in
            readSettings(&state.configuration)
            for item in Self.all {
                do throws(BadTableFile) {
                    try item.read(state.configuration, &state.tables)
                } catch {
                    complain(item.name, error.problems)
                }
            }
            apply(state.tables)
        }
        security.reload()
        logger.notice("read again", metadata: ["what": "\(Self.all.map(\.name).joined(separator: ", "))"])
    }

    private func readSettings(_ configuration: inout GatewayConfiguration) {
        let loaded = settings()
        guard loaded.problems.isEmpty else { return complain("settings", loaded.problems) }
        for warning in loaded.warnings { logger.warning("\(warning)") }
        let fixed = GatewayConfiguration.settings.filter { [configuration] setting in
            !GatewayConfiguration.reloadedNames.contains(setting.name)
                && !setting.isSame(configuration, loaded.configuration)
        }
        if !fixed.isEmpty {
            logger.warning(
                "changed settings that need a restart",
                metadata: ["settings": "\(fixed.map(\.name).joined(separator: ", "))"])
        }
        configuration = configuration.reloaded(from: loaded.configuration)
    }

    private func complain(_ what: String, _ problems: [String]) {
        logger.error(
            "what was read again is bad: the old stays",
            metadata: ["what": "\(what)", "problem": "\(problems.joined(separator: "; "))"])
    }
}
