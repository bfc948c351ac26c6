// Brings the database's schema up to date: the `migrate` command.
// Called on the main thread of a process that does nothing else.

func migrate(_ configuration: GatewayConfiguration) throws {
}
