// `gateway health` against gateways that live, are not ready, hang, or are not there. Source: operations.md section 4.

import TestSupport
import Testing

@testable import Gateway

@Suite struct HealthCommandTests {
    private func health(_ arguments: String..., environment: [String: String]) throws -> CommandOutput {
        try GatewayProcess.run(["health"] + arguments, environment: environment)
    }

    @Test func `a gateway that serves is well and ready`() throws {
        let environment = try ["GATEWAY_HOST": "0.0.0.0", "GATEWAY_PORT": "\(Live.shared.port)"]
        let alive = try health(environment: environment)
        #expect(alive.status == .exited(0), "\(alive.errors)")
        #expect(alive.output.contains("\"status\":\"ok\""))
        let ready = try health("--ready", environment: environment)
        #expect(ready.status == .exited(0), "\(ready.errors)")
        #expect(ready.output.contains("redis"))
    }

    @Test func `a Unix socket is asked where there is one`() throws {
        let folder = try TemporaryFolder()
        let (path, port) = (folder.path("ops.sock"), try FreePort.next())
        let listeners = "all=127.0.0.1:\(port),ops=\(path)"
        let gateway = try GatewayProcess(environment: ["GATEWAY_LISTENERS": listeners], port: port)
        let answer = try health(environment: ["GATEWAY_LISTENERS": listeners])
        #expect(answer.status == .exited(0), "\(answer.errors)")
        try gateway.kill9()
        let gone = try health(environment: ["GATEWAY_LISTENERS": listeners])
        #expect(gone.status == .exited(1))
        #expect(gone.errors.contains(path), "\(gone.errors)")
    }

    @Test func `a gateway without Redis lives and is not ready`() throws {
        let redis = "redis://127.0.0.1:\(try FreePort.next())/0"
        let gateway = try GatewayProcess(redisURL: redis)
        let environment = ["GATEWAY_HOST": "127.0.0.1", "GATEWAY_PORT": "\(gateway.port)"]
        #expect(try health(environment: environment).status == .exited(0))
        let ready = try health("--ready", environment: environment)
        #expect(ready.status == .exited(1))
        #expect(ready.output.isEmpty)
        #expect(ready.errors.contains("503") && ready.errors.contains("redis"), "\(ready.errors)")
    }

    @Test func `nobody there is a failure that names the address`() throws {
        let port = try FreePort.next()
        let answer = try health(environment: ["GATEWAY_PORT": "\(port)"])
        #expect(answer.status == .exited(1))
        #expect(answer.errors.contains("127.0.0.1:\(port)"), "\(answer.errors)")
    }

    @Test func `one that accepts and says nothing is given up on`() throws {
        let listener = try PlainListener()
        let answer = try health("--timeout", "0.05", environment: ["GATEWAY_PORT": "\(listener.port)"])
        #expect(answer.status == .exited(1))
        #expect(answer.errors.contains("timed out"), "\(answer.errors)")
    }

    @Test func `a bad setting is told as every command tells it`() throws {
        #expect(try health(environment: ["GATEWAY_PORT": "http"]).status == .exited(78))
        #expect(try health("--timeout", "0", environment: [:]).status != .exited(0))
    }

    @Test func `only listeners without TLS can be asked`() throws {
        var configuration = GatewayConfiguration()
        configuration.tlsCertFile = "/etc/certificate.pem"
        #expect(HealthProbe.address(in: configuration) == nil)
        configuration.listeners = try ListenerSetting.list("all=0.0.0.0:8443,ops=[::]:9090+plain")
        #expect(HealthProbe.address(in: configuration) == .tcp(host: "::1", port: 9090))
        configuration.listeners = try ListenerSetting.list("ops=10.0.0.1:9090+plain,worker=/run/w.sock+plain")
        #expect(HealthProbe.address(in: configuration) == .unix(path: "/run/w.sock"))
    }

    @Test(arguments: ["", "SSH-2.0-OpenSSH", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 xyz OK\r\n\r\n"])
    func `what is no whole answer of HTTP is none`(text: String) {
        #expect(throws: HealthProbe.Failure.self) { try HealthProbe.parse(text) }
    }

    @Test func `an answer is its status and its body`() throws {
        let answer = try HealthProbe.parse("HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\n{}\r\n\r\n")
        #expect(answer.status == 503)
        #expect(answer.body == "{}\r\n\r\n")
    }
}
