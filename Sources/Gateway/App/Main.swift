// The `gateway` binary: picks the command. The process has one thread until a command makes more.

import ArgumentParser

@main
struct GatewayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract: "A gateway for worker fleets: tasks out, results in, Redis and PostgreSQL behind it.",
        version: BuildInfo.version,
        subcommands: [
            ServeCommand.self, CheckConfigCommand.self, TokenCommand.self, MigrateCommand.self, EnqueueCommand.self,
            ImportLegacyCommand.self, APIKeyCommand.self, HealthCommand.self,
        ],
        defaultSubcommand: ServeCommand.self)
}

/// What this binary is; `gateway --version` and the `gateway_build_info` metric tell it.
enum BuildInfo {
    static let version = "0.1.0"
    /// Set by the packaging; a plain build does not know it.
    static let commit = "unknown"
    #if swift(>=6.3)
        static let swift = "6.3"
    #else
        static let swift = "6.2"
    #endif
}
