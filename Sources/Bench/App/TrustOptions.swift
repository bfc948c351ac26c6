// Whose word is taken for the certificate of an https target. Read once, on the main thread.

import ArgumentParser
import Reactor

struct TrustOptions: ParsableArguments {
    @Option(help: "https: certificates (PEM) of the authorities to trust, in place of the system's.")
    var caFile: String?

    @Flag(help: "https: take any certificate, even one for another host.")
    var insecure = false

    func validate() throws {
        if caFile != nil, insecure { throw ValidationError("--ca-file and --insecure: one of them") }
    }

    /// The URL's target with its host looked up, and what TLS needs where it is https.
    func resolved(_ url: String) throws -> Target {
        do {
            var target = try Target(url)
            try target.resolve()
            if target.isSecure { target.tls = CurrentTLSContext(try TLSContext(authorities: authorities)) }
            return target
        } catch {
            throw ValidationError("\(error)")
        }
    }

    private var authorities: TLSContext.Authorities {
        insecure ? .notChecked : caFile.map { .file($0) } ?? .system
    }
}
