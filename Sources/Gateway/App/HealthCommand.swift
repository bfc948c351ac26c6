// `gateway health`: asks the gateway of this machine, over a plain listener of its configuration, whether it lives. For
// container and service health checks, which then need no curl. On the main thread of a process that does nothing else.
// Limits: `--timeout` for the connection and each read; an answer of `answerBytesMax`. Source: operations.md section 4.

import ArgumentParser
import Reactor

struct HealthCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health", abstract: "Ask the gateway on this machine whether it lives; exit with 0 or 1.",
        discussion: """
            Takes the same settings as `serve`, and asks the first listener that can be asked without TLS, Unix sockets \
            first. Where all listeners are HTTPS, give it one of its own: GATEWAY_LISTENERS=…,ops=127.0.0.1:9090+plain.
            """)

    static let timeoutSecondsMax = 60.0

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Ask whether it is ready: whether its dependencies answer too, and it does not drain.")
    var ready = false

    @Option(help: "Seconds to wait for the connection, and for each part of the answer.")
    var timeout = 3.0

    func validate() throws {
        guard timeout >= 0.001, timeout <= Self.timeoutSecondsMax else {
            throw ValidationError("--timeout: expected 0.001 to \(Int(Self.timeoutSecondsMax)) seconds")
        }
    }

    func run() throws {
        let configuration = try options.start().configuration
        guard let address = HealthProbe.address(in: configuration) else {
            writeLine("no listener can be asked without TLS: add one, such as ops=127.0.0.1:9090+plain", to: 2)
            throw ExitCode.failure
        }
        let probe = HealthProbe(address: address, timeoutMs: Int(timeout * 1000))
        do throws(HealthProbe.Failure) {
            let answer = try probe.ask(ready ? "/health/ready" : "/health")
            writeLine(answer.body, to: answer.status == 200 ? 1 : 2)
            if answer.status != 200 { throw .init(reason: "status \(answer.status)") }
        } catch {
            writeLine("\(address.shown): \(error.reason)", to: 2)
            throw ExitCode.failure
        }
    }
}

/// One question to a listener of a gateway. Blocks its thread.
struct HealthProbe {
    static let answerBytesMax = 64 * 1024

    struct Failure: Error {
        var reason: String
    }

    var address: SocketAddress
    var timeoutMs: Int

    /// Where a gateway of this configuration can be asked without TLS; nil for nowhere.
    static func address(in configuration: GatewayConfiguration) -> SocketAddress? {
        let hasTLS = configuration.tlsCertFile != nil
        let plain = configuration.effectiveListeners.filter { !hasTLS || $0.isPlain }.map(\.address)
        return (plain.first { $0.isUnix } ?? plain.first)?.reachable
    }

    /// - Throws: that there is no answer, or none of HTTP.
    func ask(_ path: String) throws(Failure) -> (status: Int, body: String) {
        let text: String
        do throws(SystemError) {
            text = try exchange("GET \(path) HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")
        } catch {
            throw Failure(reason: error.description)
        }
        return try Self.parse(text)
    }

    private func exchange(_ request: String) throws(SystemError) -> String {
        let stream =
            switch address {
            case .tcp(let host, let port):
                try BlockingStream(host: host, port: port, roots: nil, timeoutMs: timeoutMs)
            case .unix(let path): try BlockingStream(path: path, timeoutMs: timeoutMs)
            }
        try stream.write(Array(request.utf8).rawBytes)
        var received = ByteBuffer()
        while received.count < Self.answerBytesMax,
            try stream.read(into: &received, countMax: Self.answerBytesMax - received.count) > 0
        {}
        return received.bytes.string
    }

    /// Splits an answer that ended with its connection. The gateway's answers to these paths have a length, no chunks.
    static func parse(_ text: String) throws(Failure) -> (status: Int, body: String) {
        guard let end = text.firstRange(of: "\r\n\r\n"), text.hasPrefix("HTTP/1.1 "),
            let status = Int(text.dropFirst("HTTP/1.1 ".count).prefix(3))
        else { throw Failure(reason: text.isEmpty ? "closed without an answer" : "no answer of HTTP") }
        return (status, String(text[end.upperBound...]))
    }
}

extension SocketAddress {
    fileprivate var isUnix: Bool {
        if case .unix = self { true } else { false }
    }

    /// The address to connect to: what listens on all addresses is asked over loopback.
    fileprivate var reachable: SocketAddress {
        switch self {
        case .tcp("0.0.0.0", let port): .tcp(host: "127.0.0.1", port: port)
        case .tcp("::", let port): .tcp(host: "::1", port: port)
        default: self
        }
    }

    /// As people write it.
    var shown: String {
        switch self {
        case .tcp(let host, let port): "\(bracketed(host)):\(port)"
        case .unix(let path): path
        }
    }
}
