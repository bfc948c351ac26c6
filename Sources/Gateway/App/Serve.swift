// Builds the process out of its configuration and runs it until it is told to stop.
// Called on the main thread while no other thread of ours exists.

func serve(_ configuration: GatewayConfiguration) throws {
}
