// Brings the database's schema up to date: the `migrate` command. The SQL files are part of the binary.
// Called on the main thread of a process that does nothing else.

import Logging
import Reactor

func migrate(_ configuration: GatewayConfiguration) throws {
    let logger = Logger(label: "gateway")
    let applied = try PostgresMigrator.migrate(url: configuration.postgresURL, migrations)
    for name in applied { logger.notice("migrated", metadata: ["migration": "\(name)"]) }
    if applied.isEmpty { logger.notice("the schema is up to date", metadata: ["migrations": "\(migrations.count)"]) }
}

/// In order; a new file gets a line here.
private let migrations = [
    PostgresMigration(name: "0001_results", sql: String(decoding: PackageResources.m0001_results_sql, as: UTF8.self))
]
