// `gateway enqueue FILE`: puts the tasks of a file into a queue, straight through Redis, so that no gateway need run.
// Resumes after an interruption: FILE.progress holds how many items are in (and which file it was); what went in after
// it was last written is a duplicate. Limits: those of TaskFile and EnqueueBatch; `toldMax` bad items are shown.

import ArgumentParser
import FoundationEssentials
import Reactor

struct EnqueueCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enqueue", abstract: "Put the tasks of a file into a queue: NDJSON, a JSON array, or CSV.",
        discussion: """
            Goes straight to GATEWAY_REDIS_URL. Tasks that are known already are counted as duplicates, so a file may be \
            given twice. An interrupted run is taken up where it stopped (FILE.progress; --restart begins anew). Exits \
            with 65 where some items were no tasks; the others are in.

            A CSV file needs --platform, and a task id: a --task-id-column, or a column for parcel_id (or party_id), from \
            which with platform, state and county the id is made:

              gateway enqueue liens.csv --column parcel_id=SCHEDULE_NUMBER --platform beacon --state CO --county Larimer
            """)

    static let badItemsExit = ExitCode(65)

    @OptionGroup var options: ConfigurationOptions

    @Argument(help: "NDJSON or JSON; CSV where the name ends with .csv.")
    var file: String

    @Option(help: "parcel or party.")
    var kind = "parcel"

    @Flag(help: "Begin anew, whatever an earlier run has done.")
    var restart = false

    @Flag(help: "The file is CSV whatever its name.")
    var csv = false

    @Option(help: "CSV: member=COLUMN of the target, once for each; none takes all columns in lower case.")
    var column: [String] = []

    @Option(help: "CSV: the column of the task id.")
    var taskIDColumn: String?

    @Option(help: "CSV: the platform of all tasks.")
    var platform: String?

    @Option(help: "CSV: 1 (urgent) to 4.")
    var priority = 3

    @Option(help: "CSV: the cheapest scraper tier that can do it, 1 to 4.")
    var tier = 1

    @Option(help: "CSV: the type of all tasks.")
    var type = "scrape"

    @Option(help: "CSV: the target's state.")
    var state: String?

    @Option(help: "CSV: the target's county.")
    var county: String?

    private var isCSV: Bool { csv || file.lowercased().hasSuffix(".csv") }

    func validate() throws {
        guard WorkKind(name: kind) != nil else { throw ValidationError("--kind: expected parcel or party") }
        guard (1...4).contains(priority), (1...4).contains(tier) else {
            throw ValidationError("--priority and --tier: expected 1 to 4")
        }
        guard isCSV else {
            guard column.isEmpty, taskIDColumn == nil, platform == nil else {
                throw ValidationError("--column, --task-id-column and --platform are for CSV files")
            }
            return
        }
        guard let platform, TaskBody.isPlatform(platform.utf8) else {
            throw ValidationError("--platform: expected 1 to 64 characters of [A-Za-z0-9._:-]")
        }
    }

    func run() throws {
        let loaded = try options.start()
        guard let kind = WorkKind(name: kind) else { throw ExitCode.validationFailure }
        let data = try map(file)
        let progress = EnqueueProgress(file: file, bytes: data.count, kind: kind)
        if restart { progress.remove() }
        let (columns, isCSV) = (self.columns, self.isCSV)
        let total = try RedisSession.run(loaded.configuration.commandRedis()) { session in
            let tasks = isCSV ? try TaskFile(csv: data, columns: columns) : TaskFile(json: data)
            var run = EnqueueRun(session: session, kind: kind, progress: progress)
            return try await run.finish(tasks)
        }
        writeLine(total.summary, to: 1)
        if total.rejected > 0 { throw Self.badItemsExit }
    }

    private func map(_ path: String) throws -> Data {
        do {
            return try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
        } catch {
            writeLine("\(path) cannot be read: \(error)", to: 2)
            throw ExitCode.failure
        }
    }

    private var columns: @Sendable ([String]) throws(TaskColumns.Failure) -> TaskColumns {
        let common = TaskColumns.Common(
            platform: platform ?? "", priority: priority, tier: tier, type: type, state: state, county: county)
        let (column, taskIDColumn) = (column, taskIDColumn)
        return { header throws(TaskColumns.Failure) in
            try TaskColumns(common, mapping: column, taskIDColumn: taskIDColumn, header: header)
        }
    }
}

extension WorkKind {
    init?(name: String) {
        guard let kind = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = kind
    }
}

/// How far a file has been taken in, in a file beside it.
struct EnqueueProgress: Sendable {
    private let path: String
    /// What must be the same for the count to mean anything.
    private let identity: String

    init(file: String, bytes: Int, kind: WorkKind) {
        path = file + ".progress"
        let attributes = try? FileManager.default.attributesOfItem(atPath: file)  // None: the count is not trusted.
        let modified = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970
        identity = "\(kind.name) \(bytes) \(modified ?? -1)"
    }

    /// Items that are in already; 0 for another file or none.
    func read() -> Int {
        guard let data = try? Data(contentsOf: URL(fileURLWithPath: path)) else { return 0 }  // No earlier run.
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
        guard lines.count == 2, lines[0] == identity else { return 0 }
        return Int(lines[1]) ?? 0
    }

    func write(_ items: Int) throws {
        try Data("\(identity)\n\(items)\n".utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: path)  // It need not be there.
    }
}

/// One run over a file.
struct EnqueueRun: ~Copyable {
    static let toldMax = 20
    /// Seconds between two writes of the progress.
    static let writtenEvery = Interval.milliseconds(200)

    struct Total: Sendable {
        var accepted = 0
        var duplicates = 0
        var rejected = 0
        /// Items of an earlier run.
        var skipped = 0

        var summary: String {
            var text = "\(accepted) accepted, \(duplicates) duplicates, \(rejected) rejected"
            if skipped > 0 { text += "; \(skipped) items were done by an earlier run" }
            return text
        }
    }

    private let session: RedisSession
    private let kind: WorkKind
    private let progress: EnqueueProgress
    private var total = Total()
    private var batch = EnqueueBatch()
    private var bar: ProgressBar
    private var writtenAt: Instant

    init(session: RedisSession, kind: WorkKind, progress: EnqueueProgress) {
        self.session = session
        self.kind = kind
        self.progress = progress
        bar = ProgressBar(now: session.reactor.now)
        writtenAt = session.reactor.now
    }

    /// Takes the rest of the file in.
    mutating func finish(_ tasks: consuming TaskFile) async throws -> Total {
        let done = progress.read()
        while true {
            let item: TaskFile.Item
            do {
                item = try tasks.next()
            } catch {
                try await send(tasks)
                throw StartFailure(description: "the file is broken off behind item \(tasks.count): \(error.message)")
            }
            switch item {
            case .end:
                try await send(tasks)
                bar.end()
                progress.remove()
                return total
            case _ where tasks.count <= done: total.skipped += 1
            case .bad(let reason): reject(tasks.place, reason)
            case .task:
                do throws(JSONFailure) {
                    try batch.add(tasks.item.bytes, at: session.reactor.wallMicroseconds)
                } catch {
                    reject(tasks.place, error.message)
                }
                if batch.isFull { try await send(tasks) }
            }
        }
    }

    private mutating func reject(_ place: String, _ reason: String) {
        total.rejected += 1
        if total.rejected <= Self.toldMax {
            bar.end()
            writeLine("\(place): \(reason)", to: 2)
        }
    }

    private mutating func send(_ tasks: borrowing TaskFile) async throws {
        if !batch.arguments.isEmpty {
            let reply = try await session.call(.enqueue, kind, batch.arguments)
            for outcome in reply.text?.utf8 ?? "".utf8 {
                if outcome == UInt8(ascii: "1") { total.accepted += 1 } else { total.duplicates += 1 }
            }
            batch.clear()
        }
        let now = session.reactor.now
        bar.draw(share: tasks.share, items: total.accepted + total.duplicates, now: now)
        if now - writtenAt >= Self.writtenEvery {
            writtenAt = now
            try progress.write(tasks.count)
        }
    }
}
