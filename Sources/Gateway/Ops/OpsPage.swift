// The operators' page as files: markup, style and scripts, embedded when the gateway is built. Nothing in them is secret.
// On any reactor's thread; immutable. The page may load what is here and nothing else, and holds no inline script or style.
// Source: operations.md section 3; Content Security Policy Level 3; Trusted Types.

import Reactor

enum OpsPage {
    private struct File: Sendable {
        var name: String
        var typeLine: StaticString
        var bytes: [UInt8]
    }

    private static let markup: StaticString = "Content-Type: text/html; charset=utf-8\r\n"
    private static let style: StaticString = "Content-Type: text/css; charset=utf-8\r\n"
    private static let image: StaticString = "Content-Type: image/svg+xml\r\n"
    private static let script: StaticString = "Content-Type: text/javascript; charset=utf-8\r\n"
    private static let files = [
        File(name: "ops.html", typeLine: markup, bytes: PackageResources.ops_html),
        File(name: "ops.css", typeLine: style, bytes: PackageResources.ops_css),
        File(name: "ops-icon.svg", typeLine: image, bytes: PackageResources.ops_icon_svg),
        File(name: "ops.js", typeLine: script, bytes: PackageResources.ops_js),
        File(name: "ops-chart.js", typeLine: script, bytes: PackageResources.ops_chart_js),
        File(name: "ops-client.js", typeLine: script, bytes: PackageResources.ops_client_js),
        File(name: "ops-commands.js", typeLine: script, bytes: PackageResources.ops_commands_js),
        File(name: "ops-dom.js", typeLine: script, bytes: PackageResources.ops_dom_js),
        File(name: "ops-fleet.js", typeLine: script, bytes: PackageResources.ops_fleet_js),
        File(name: "ops-format.js", typeLine: script, bytes: PackageResources.ops_format_js),
        File(name: "ops-letters.js", typeLine: script, bytes: PackageResources.ops_letters_js),
        File(name: "ops-paged.js", typeLine: script, bytes: PackageResources.ops_paged_js),
        File(name: "ops-queues.js", typeLine: script, bytes: PackageResources.ops_queues_js),
        File(name: "ops-rates.js", typeLine: script, bytes: PackageResources.ops_rates_js),
        File(name: "ops-system.js", typeLine: script, bytes: PackageResources.ops_system_js),
        File(name: "ops-theme.js", typeLine: script, bytes: PackageResources.ops_theme_js),
        File(name: "ops-traffic.js", typeLine: script, bytes: PackageResources.ops_traffic_js),
    ]

    /// Of every answer below /ops, refusals included. `form-action 'none'`: the token is never sent by a form.
    static func appendHeaders(to out: inout ByteBuffer) {
        out.append(
            """
            Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
            connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
            require-trusted-types-for 'script'; trusted-types 'none'\r
            X-Content-Type-Options: nosniff\r
            X-Frame-Options: DENY\r
            Referrer-Policy: no-referrer\r
            Cross-Origin-Opener-Policy: same-origin\r
            Cross-Origin-Resource-Policy: same-origin\r
            Cache-Control: no-store\r

            """ as StaticString)
    }

    /// Answers with a file; a name that none has is a 404.
    static func respond(_ name: RawSpan, _ exchange: SlotID, server: HTTPServer) {
        respond(name.string, exchange, server: server)
    }

    static func respond(_ name: String, _ exchange: SlotID, server: HTTPServer) {
        guard let file = files.first(where: { $0.name == name }) else {
            return server.respond(exchange, .notFound("no such path"))
        }
        server.respond(
            exchange, status: 200, type: .none, headers: { $0.append(file.typeLine) },
            body: { $0.append(file.bytes.rawBytes) })
    }
}
