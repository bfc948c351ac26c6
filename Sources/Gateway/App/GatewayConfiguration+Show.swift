// Prints a configuration for people, secrets masked: `gateway check-config`, and every accidental print of the value.
// Pure functions of the value and the table.

extension GatewayConfiguration {
    /// One line a setting, `NAME=value  # where it came from`; what is not set stands as a comment.
    func listing() -> String {
        Self.settings.map { setting in
            guard let value = setting.show(self) else { return "# \(setting.name) is not set" }
            return "\(setting.name)=\(value)  # \(sources[setting.name] ?? "default")"
        }.joined(separator: "\n")
    }

    /// The table as Markdown: the reference page of the documentation is made of it.
    static func reference() -> String {
        let defaults = GatewayConfiguration()
        let rows = settings.map { setting in
            let name = setting.secrecy == .open ? "`\(setting.name)`" : "`\(setting.name)`, `\(setting.fileName)`"
            let value = setting.show(defaults).map { "`\($0)`" } ?? "—"
            return "| \(name) | \(value) | \(setting.help) | \(setting.allowed.replacing("|", with: "\\|")) |"
        }
        return (["| variable | default | | allowed |", "| --- | --- | --- | --- |"] + rows).joined(separator: "\n")
    }

    /// The table as a `.env` file in which nothing is set: `.env.example` of the checkout.
    static func dotEnvExample() -> String {
        let defaults = GatewayConfiguration()
        return settings.map { setting in
            let help = setting.help.prefix(1).uppercased() + setting.help.dropFirst()
            let file = setting.secrecy == .open ? "" : " Or \(setting.fileName), a file that holds it."
            return "# \(help): \(setting.allowed).\(file)\n#\(setting.name)=\(setting.show(defaults) ?? "")"
        }.joined(separator: "\n\n")
    }
}

extension GatewayConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String { listing() }
    var debugDescription: String { listing() }
    /// Without children: `dump` and string interpolation of a holder must not find the secrets either.
    var customMirror: Mirror { Mirror(self, children: [:]) }
}
