// The address of an empty Redis database and a reactor, for tests of the gateway's own client: the fixtures have a client
// of the same name, which their module would bring along.

import Reactor
import TestSupport

func freshRedisURL() throws -> String { try Services.shared.takeRedisDatabase() }

func testReactor(descriptorsMax: Int) throws -> Reactor { try Reactor(testDescriptorsMax: descriptorsMax) }
