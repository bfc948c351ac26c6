// Contexts out of files: what is wrong with them is said.

import TestSupport
import Testing

@testable import Reactor

@Suite struct TLSContextTests {
    private func failure(_ certificate: String, _ key: String, authority: String? = nil) -> String {
        do throws(TLSFailure) {
            _ = try TLSContext(
                certificateFile: certificate, keyFile: key, clientAuthorityFile: authority,
                clientCertificates: authority == nil ? .notAsked : .required)
            return ""
        } catch {
            return error.description
        }
    }

    @Test func `a key of another certificate, one with a passphrase, and files that are none are named`() throws {
        let all = try TestCertificates.shared
        let good = all.server
        #expect(failure(good.certificate, good.key) == "")
        #expect(failure(good.certificate, all.client.key) == "\(all.client.key): key values mismatch")
        #expect(failure(good.certificate, all.lockedKey).hasPrefix("\(all.lockedKey): "))
        #expect(failure(good.key, good.key) == "\(good.key): no start line")
        #expect(failure(good.certificate, good.certificate).hasPrefix("\(good.certificate): "))
        #expect(failure("/no/such/file", good.key) == "/no/such/file: No such file or directory")
        #expect(failure(good.certificate, good.key, authority: good.key).hasPrefix("\(good.key): "))
        #expect(failure(good.certificate, good.key, authority: all.authority.certificate) == "")
    }

    @Test func `a client's authorities must be there`() throws {
        let all = try TestCertificates.shared
        _ = try TLSContext(authorities: .system)
        _ = try TLSContext(authorities: .file(all.authority.certificate))
        #expect(throws: TLSFailure.self) { try TLSContext(authorities: .file(all.server.key)) }
        #expect(throws: TLSFailure.self) { try TLSContext(authorities: .file("/no/such/file")) }
    }

    @Test func `a server's certificate tells when it expires`() throws {
        let all = try TestCertificates.shared
        let wall = WallTime.now().msSinceEpoch / 1000
        let good = try #require(try TLSServerTests.context().expirySeconds)
        #expect(good > wall + 80_000 && good < wall + 2 * 86_400 + 1000)
        let expired = try #require(try TLSServerTests.context(all.expired).expirySeconds)
        #expect(expired < wall)
        #expect(try TLSContext(authorities: .system).expirySeconds == nil)
    }
}
