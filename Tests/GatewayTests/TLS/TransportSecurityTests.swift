// Which listener wants what, and certificates that are read again.

import Foundation
import Reactor
import TestSupport
import Testing

@testable import Gateway

@Suite struct TransportSecurityTests {
    private func configuration(
        _ listeners: String, _ pair: TestCertificates.Pair, hasClientCA: Bool = true
    ) throws -> GatewayConfiguration {
        var configuration = GatewayConfiguration()
        configuration.listeners = try ListenerSetting.list(listeners)
        configuration.tlsCertFile = pair.certificate
        configuration.tlsKeyFile = pair.key
        if hasClientCA { configuration.tlsClientCAFile = try TestCertificates.shared.authority.certificate }
        return configuration
    }

    @Test func `TLS is on every TCP listener that is not plain, and a client CA binds those with workers`() throws {
        let listeners = "ops=a:1,worker=a:2,all=a:3,public=a:4+plain,party=/run/x.sock,parcel=a:5,ops=a:5"
        let server = try TestCertificates.shared.server
        let security = try TransportSecurity(configuration(listeners, server))
        #expect((0..<6).map { security.isSecure(listener: $0) } == [true, true, true, false, false, true])
        #expect(security.bindsWorkers == [false, true, true, false, false, true])
        #expect(security.listeners.map { $0 == nil } == [false, false, false, true, true, false])
        // Listeners that want the same have the same.
        #expect(security.listeners[2] === security.listeners[5] && security.listeners[1] !== security.listeners[2])
        let free = try TransportSecurity(configuration(listeners, server, hasClientCA: false))
        #expect(free.bindsWorkers == Array(repeating: false, count: 6))
        #expect(free.listeners[0] === free.listeners[1])
        let plain = try TransportSecurity(GatewayConfiguration())
        #expect(plain.listeners.allSatisfy { $0 == nil } && !plain.isSecure(listener: 0))
    }

    @Test func `files are read again, and bad ones change nothing`() throws {
        let all = try TestCertificates.shared
        let folder = try TemporaryFolder()
        func put(_ pair: TestCertificates.Pair) throws {
            try folder.write(String(contentsOfFile: pair.certificate, encoding: .utf8), to: "cert")
            try folder.write(String(contentsOfFile: pair.key, encoding: .utf8), to: "key")
        }
        try put(all.server)
        let pair = TestCertificates.Pair(certificate: folder.path("cert"), key: folder.path("key"))
        let security = try TransportSecurity(configuration("worker=a:1,all=a:2", pair))
        func contexts() -> [ObjectIdentifier] { security.listeners.compactMap { $0 }.map { ObjectIdentifier($0.now) } }
        let first = contexts()
        try put(all.newServer)
        #expect(security.reload() == [])
        let second = contexts()
        #expect(first.count == 2 && Set(first).isDisjoint(with: second))
        try folder.write(String(contentsOfFile: all.server.key, encoding: .utf8), to: "key")
        let problems = security.reload()
        #expect(problems.count == 1)
        #expect(
            problems.first?.hasPrefix("GATEWAY_TLS_KEY_FILE=\"\(folder.path("key"))\": key values mismatch") == true)
        #expect(contexts() == second)
    }
}
