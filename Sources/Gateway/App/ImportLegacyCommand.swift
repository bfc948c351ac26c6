// `gateway import-legacy`: moves the tasks of the old gateways' Redis lists into a queue of ours.
// On the main thread of a process that does nothing else. Limits: those of LegacyImport.

import ArgumentParser
import Reactor

struct ImportLegacyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import-legacy",
        abstract: "Move tasks out of the lists queue:<platform>:p<1..4> and processing:<worker> of an old gateway.",
        discussion: """
            Stop the old gateways first. May be interrupted and repeated at any time: an entry leaves its list only after \
            it is queued here. Entries that are no tasks go to the dead letters, with the reason.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Option(name: .customLong("from"), help: "The old gateway's Redis, where it is not GATEWAY_REDIS_URL.")
    var from: String?

    @Option(help: "parcel or party: the queue they go to.")
    var kind = "parcel"

    @Flag(help: "Leave processing:<worker> alone: some old workers still run.")
    var queuesOnly = false

    func validate() throws {
        guard WorkKind(name: kind) != nil else { throw ValidationError("--kind: expected parcel or party") }
        do {
            _ = try source()
        } catch {
            throw ValidationError("--from: \(error.reason); allowed: \(RedisEndpoint.allowed)")
        }
    }

    private func source() throws(BadSetting) -> RedisEndpoint? {
        guard let from else { return nil }
        return try RedisEndpoint(from)
    }

    func run() throws {
        let loaded = try options.start()
        guard let kind = WorkKind(name: kind) else { throw ExitCode.validationFailure }
        var old = try source()
        if old?.usesTLS == true {
            old?.tls = CurrentTLSContext(try TransportSecurity.clientContext(loaded.configuration))
        }
        let from = old
        let takesProcessing = !queuesOnly
        let total = try RedisSession.run(loaded.configuration.commandRedis()) { session in
            let source = if let from { try await session.another(from) } else { session }
            defer { if from != nil { source.client.close() } }
            var run = LegacyImport(source: source, target: session, kind: kind, takesProcessing: takesProcessing)
            if isTerminal(2) { run.stepped = { writeText("\r\u{1B}[K\($0.summary)", to: 2) } }
            let total = try await run.run()
            if isTerminal(2) { writeText("\r\u{1B}[K", to: 2) }
            return total
        }
        writeLine(total.summary, to: 1)
    }
}
