// The address of an empty Redis database, for tests of the gateway's own client: the fixtures have a client of the same
// name, which their module would bring along.

import TestSupport

func freshRedisURL() throws -> String { try Services.shared.takeRedisDatabase() }
