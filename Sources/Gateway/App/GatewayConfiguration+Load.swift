// Makes the configuration out of its layers: environment over .env over YAML over defaults.
// Runs on the main thread before any other exists; reads files, starts nothing. All problems are found, not the first one.
// Limits: `fileBytesMax` a file. Source: operations.md section 1.

import Configuration
import Reactor

/// One place that settings come from, as variables and their texts.
struct SettingLayer: Equatable, Sendable {
    /// How problems and `check-config` call it.
    var name: String
    var values: [String: String]
}

/// What the layers made: a configuration to start with, unless there are problems.
struct LoadedConfiguration {
    var configuration: GatewayConfiguration
    /// One line each, naming variable, value and what is allowed.
    var problems: [String]
    var warnings: [String]
}

extension GatewayConfiguration {
    /// Largest .env, YAML or secret file.
    static let fileBytesMax = 1 << 20
    /// Names that are no settings but ours all the same.
    static let otherNames = ["GATEWAY_CONFIG"]

    /// - Parameter layers: the strongest first. A variable with an empty text is not set.
    static func load(layers: [SettingLayer]) -> LoadedConfiguration {
        var loaded = LoadedConfiguration(configuration: GatewayConfiguration(), problems: [], warnings: [])
        let layers = resolved(layers, &loaded)
        let reader = ConfigReader(
            providers: layers.map { EnvironmentVariablesProvider(environmentVariables: $0.values) })
        for setting in settings {
            let fromFile = reader.string(forKey: key(setting.fileName))
            if setting.secrecy == .open || fromFile == nil {
                guard let text = reader.string(forKey: key(setting.name), isSecret: setting.secrecy != .open) else {
                    continue
                }
                loaded.configuration.sources[setting.name] = source(of: setting.name, in: layers)
                loaded.apply(setting, text, from: source(of: setting.name, in: layers))
            } else if let path = fromFile {
                loaded.configuration.sources[setting.name] = path
                loaded.apply(setting, fileAt: path)
            }
        }
        loaded.checkTogether()
        return loaded
    }

    /// GATEWAY_PORT is looked up as ["gateway", "port"]: swift-configuration makes the variable's name of it again.
    private static func key(_ name: String) -> ConfigKey {
        ConfigKey(["gateway", name.dropFirst("GATEWAY_".count).lowercased()])
    }

    private static func source(of name: String, in layers: [SettingLayer]) -> String {
        layers.first { $0.values[name] != nil }?.name ?? "default"
    }

    /// Drops empty texts, warns of unknown names, and lets NAME and NAME_FILE hide each other in weaker layers.
    private static func resolved(_ layers: [SettingLayer], _ loaded: inout LoadedConfiguration) -> [SettingLayer] {
        let secrets = settings.filter { $0.secrecy != .open }
        let known = settings.map(\.name) + secrets.map(\.fileName) + otherNames
        let knownSet = Set(known)
        var hidden: Set<String> = []
        return layers.map { layer in
            var values: [String: String] = [:]
            for (name, text) in layer.values where name.hasPrefix("GATEWAY_") {
                let text = trimmed(text)
                if !text.isEmpty { values[name] = text }
            }
            for name in values.keys.sorted() where !knownSet.contains(name) {
                let nearest = nearestName(to: name, among: known)
                loaded.warnings.append("\(name) (\(layer.name)) is no setting; the nearest is \(nearest)")
            }
            for name in hidden { values[name] = nil }
            for setting in secrets {
                if values[setting.name] != nil, values[setting.fileName] != nil {
                    loaded.problems.append(
                        "\(setting.name) and \(setting.fileName) are both set: one of them is allowed")
                }
                if values[setting.name] != nil { hidden.insert(setting.fileName) }
                if values[setting.fileName] != nil { hidden.insert(setting.name) }
            }
            return SettingLayer(name: layer.name, values: values)
        }
    }
}

extension LoadedConfiguration {
    /// Longest value repeated in a problem.
    static let shownCharactersMax = 120

    fileprivate mutating func apply(_ setting: Setting, _ text: String, from source: String) {
        do throws(BadSetting) {
            try setting.apply(text, &configuration)
        } catch {
            let shown = Self.quoted(setting.masked(text))
            let origin = source == "environment" ? "" : " (\(source))"
            problems.append("\(setting.name)=\(shown)\(origin): \(error.reason); allowed is \(setting.allowed)")
        }
    }

    fileprivate mutating func apply(_ setting: Setting, fileAt path: String) {
        do throws(FileError) {
            let bytes = try readFile(at: path, bytesMax: GatewayConfiguration.fileBytesMax)
            let text = trimmed(String(decoding: bytes, as: UTF8.self))
            guard !text.isEmpty else {
                problems.append("\(setting.fileName)=\(Self.quoted(path)): the file is empty")
                return
            }
            apply(setting, text, from: path)
        } catch {
            let allowed = "the path of a readable file of at most \(GatewayConfiguration.fileBytesMax) bytes"
            problems.append("\(setting.fileName)=\(Self.quoted(path)): \(error.description); allowed is \(allowed)")
        }
    }

    /// What no variable is wrong in alone.
    fileprivate mutating func checkTogether() {
        if (configuration.tlsCertFile == nil) != (configuration.tlsKeyFile == nil) {
            problems.append("GATEWAY_TLS_CERT_FILE and GATEWAY_TLS_KEY_FILE: only one is set; allowed is both or none")
        }
        if configuration.tlsClientCAFile != nil, configuration.tlsCertFile == nil {
            problems.append("GATEWAY_TLS_CLIENT_CA_FILE is set without GATEWAY_TLS_CERT_FILE; it needs one")
        }
        let hasSocket = configuration.effectiveListeners.contains {
            if case .unix = $0.address { return true } else { return false }
        }
        if !configuration.proxyProtocol.isEmpty, configuration.trustedProxies.networks.isEmpty, !hasSocket {
            problems.append("GATEWAY_PROXY_PROTOCOL is set without GATEWAY_TRUSTED_PROXIES: nobody's header is taken")
        }
        if configuration.sources["GATEWAY_WORKER_TOKENS"] == nil {
            warnings.append("GATEWAY_WORKER_TOKENS is not set: the worker surface refuses all requests")
        }
        for (name, tokens) in [
            ("GATEWAY_WORKER_TOKENS", configuration.workerTokens), ("GATEWAY_OPS_TOKENS", configuration.opsTokens),
        ] {
            for (index, grant) in tokens.enumerated() where grant.token.utf8.count < TokenGrant.bytesAdvised {
                warnings.append(
                    "\(name): token \(index + 1) has fewer than \(TokenGrant.bytesAdvised) characters; `gateway token` makes a good one"
                )
            }
        }
    }

    /// In quotes, on one line, of bounded length.
    private static func quoted(_ text: String) -> String {
        let shown = text.count > shownCharactersMax ? text.prefix(shownCharactersMax) + "…" : text
        return String(reflecting: shown)
    }
}

/// The name of `names` with the fewest single-character edits to `name`.
func nearestName(to name: String, among names: [String]) -> String {
    names.min { editDistance(name, $0) < editDistance(name, $1) } ?? ""
}

/// Optimal string alignment distance: insertions, removals, replacements, swaps of neighbours.
func editDistance(_ left: String, _ right: String) -> Int {
    let left = Array(left.utf8)
    let right = Array(right.utf8)
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for (i, a) in left.enumerated() {
        var row = [i + 1]
        for (j, b) in right.enumerated() {
            var best = min(last[j + 1] + 1, row[j] + 1, last[j] + (a == b ? 0 : 1))
            if i > 0, j > 0, a == right[j - 1], left[i - 1] == b { best = min(best, beforeLast[j - 1] + 1) }
            row.append(best)
        }
        beforeLast = last
        last = row
    }
    return last[right.count]
}
