// The commands of the binary, each on the main thread. They exit with 0, or 78 (EX_CONFIG) for a bad configuration,
// which systemd and others can be told not to restart on. Source: operations.md section 1.

import ArgumentParser
import FoundationEssentials
import Logging
import Reactor

/// Where the configuration is read from, besides the environment.
struct ConfigurationOptions: ParsableArguments {
    @Option(help: "A YAML file of settings, below the environment and .env. Also GATEWAY_CONFIG.")
    var config: String?

    @Option(help: "The .env file. Without this option it is ./.env, which may be missing.")
    var envFile: String?

    static let badConfigurationExit = ExitCode(78)

    /// Environment over .env over YAML over defaults.
    func load(environment: [String: String]) -> LoadedConfiguration {
        var layers = [SettingLayer(name: "environment", values: environment)]
        var problems: [String] = []
        func add(_ path: String, mayBeMissing: Bool, _ read: SettingLayer.Reading) {
            do throws(FileError) {
                let bytes = try readFile(at: path, bytesMax: GatewayConfiguration.fileBytesMax)
                do throws(BadSettingsFile) {
                    layers.append(try read(String(decoding: bytes, as: UTF8.self), path))
                } catch {
                    problems.append(error.problem)
                }
            } catch {
                if !(mayBeMissing && error.isMissing) { problems.append("\(path): \(error.description)") }
            }
        }
        add(envFile ?? ".env", mayBeMissing: envFile == nil, SettingLayer.dotEnv)
        let named = layers.compactMap { $0.values["GATEWAY_CONFIG"] }.first { !$0.isEmpty }
        if let yaml = config ?? named { add(yaml, mayBeMissing: false, SettingLayer.yaml) }
        var loaded = GatewayConfiguration.load(layers: layers)
        do throws(BadTableFile) {
            if loaded.problems.isEmpty { _ = try PublicRoutes.load(loaded.configuration.routesFile) }
        } catch {
            loaded.problems += error.problems
        }
        do throws(BadTableFile) {
            if loaded.problems.isEmpty { _ = try TierTable.load(loaded.configuration.tiersFile) }
        } catch {
            loaded.problems += error.problems
        }
        loaded.problems.insert(contentsOf: problems, at: 0)
        return loaded
    }

    /// The configuration, or the end of the process with a line for each problem.
    func start() throws -> LoadedConfiguration {
        let loaded = load(environment: ProcessInfo.processInfo.environment)
        for problem in loaded.problems { writeLine(problem, to: 2) }
        if !loaded.problems.isEmpty { throw Self.badConfigurationExit }
        return loaded
    }
}

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve until SIGTERM or SIGINT (the default).")

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let loaded = try options.start()
        let log = GatewayLog(loaded.configuration)
        log.bootstrap()
        defer { log.close() }
        let logger = Logger(label: "gateway")
        for warning in loaded.warnings { logger.warning("\(warning)") }
        try serve(loaded.configuration)
    }
}

struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Bring the database's schema up to date; safe to run by several at once.")

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let loaded = try options.start()
        let log = GatewayLog(loaded.configuration)
        log.bootstrap()
        defer { log.close() }
        try migrate(loaded.configuration)
    }
}

struct CheckConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config", abstract: "Print the configuration, secrets masked; fail on any problem.")

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Print the table of all settings (Markdown) instead.")
    var reference = false

    @Flag(help: "Print all settings with their defaults, as a .env file in which nothing is set, instead.")
    var example = false

    func run() throws {
        if reference || example {
            writeLine(reference ? GatewayConfiguration.reference() : GatewayConfiguration.dotEnvExample(), to: 1)
            return
        }
        let loaded = options.load(environment: ProcessInfo.processInfo.environment)
        writeLine(loaded.configuration.listing(), to: 1)
        for warning in loaded.warnings { writeLine("warning: \(warning)", to: 2) }
        for problem in loaded.problems { writeLine("problem: \(problem)", to: 2) }
        if !loaded.problems.isEmpty { throw ConfigurationOptions.badConfigurationExit }
    }
}

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Print a new random token for GATEWAY_WORKER_TOKENS or GATEWAY_OPS_TOKENS.")

    /// Bytes of randomness in a token.
    static let bytes = 32

    func run() { writeLine(Self.make(), to: 1) }

    /// Base64url without padding: 43 characters, none of which needs escaping anywhere.
    static func make() -> String {
        Data(randomBytes(bytes)).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}
