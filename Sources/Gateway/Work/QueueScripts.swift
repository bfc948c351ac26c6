// The queue's scripts as Redis knows them: made once at start, loaded by every client. Immutable; shared.

import Reactor

struct QueueScripts: Sendable {
    private let scripts: [RedisScript]

    init() { scripts = QueueScript.allCases.map { RedisScript($0.source) } }

    var all: [RedisScript] { scripts }

    subscript(script: QueueScript) -> RedisScript {
        guard let index = QueueScript.allCases.firstIndex(of: script) else { preconditionFailure("a script unknown") }
        return scripts[index]
    }
}
