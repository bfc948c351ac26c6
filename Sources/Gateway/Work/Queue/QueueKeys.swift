// The layout of the queue in Redis: every key of one kind and partition, and what it holds.
// Immutable values. All keys start with one prefix whose braces are the hash tag, so that every script touches one slot
// of a Redis Cluster. A script receives the prefix as KEYS[1] and derives the others from it by these names.

/// Keys of one kind (`parcel`, `party`) and partition, all under `{kind:partition}:`.
///
/// | key                            | type   | holds |
/// | ------------------------------ | ------ | ----- |
/// | `tasks`                        | hash   | task_id → body: the Task's JSON up to the value of `attempt` |
/// | `ready:LEVEL:TIER:PLATFORM`    | zset   | task_id by sequence: first in, first out |
/// | `turn:1` … `turn:4`            | zset   | `LEVEL:PLATFORM` with a ready task of tier ≤ M by level × 2^44 + turn |
/// | `leases`                       | hash   | task_id → `ATTEMPT WORKER FIRST_MS FAILURES LOSSES RETURNS SEQ PT PLATFORM` |
/// | `held:WORKER`                  | zset   | task_id by delivery time in ms, + 0.5 once the worker has listed it |
/// | `check`                        | zset   | worker with leases by when the reaper must look at it, ms |
/// | `history`                      | hash   | task_id → `ATTEMPT FAILURES LOSSES RETURNS SEQ PT PLATFORM`: out before, not leased |
/// | `delayed`                      | zset   | task_id by due time, ms |
/// | `dead`, `errors`               | zset, hash | task_id by sequence of death; task_id → its last error (JSON) |
/// | `seq`, `turns`                 | string | last sequence number given (µs of time, pushed on); last turn given |
/// | `seen`                         | zset   | worker by when it was last heard from, ms: the registry |
/// | `fleet`                        | zset   | worker, all scores 0: the registry by name, for pages |
/// | `status`                       | hash   | worker → its last WorkerStatus (JSON) |
/// | `polls`                        | hash   | worker → its last `poll_id` and what it got (MessagePack) |
/// | `commands:WORKER`, `commanded` | list, set | commands waiting; workers that have some |
/// | `reaper`                       | string | the token of the gateway that reaps, with expiry |
/// | `proxies`                      | zset   | `HOST:PORT` by allocations × 2^40 + turn: the least used first |
/// | `proxy-of`, `proxy-check`      | hash, zset | `WORKER PLATFORM` → `HOST:PORT EXPIRES_MS`; by when to look at it |
/// | `proxy-bans:PLATFORM`          | zset   | `HOST:PORT` by the end of its ban or cool-down, ms |
/// | `proxy-banned`, `proxy-turns`  | zset, string | platform by the end of its last ban; last turn given |
/// | `proxy-platforms`              | zset   | platform by when a proxy was last taken for it, ms |
/// | `wake`                         | channel | published when tasks became ready; the payload is about how many |
///
/// A level is priority × 2, minus 1 for tasks that were out before. `PT` is a digit of priority and one of tier. A queued
/// task that was never out is in `tasks` and one `ready` list only. Every task in `tasks` is in exactly one of `ready`,
/// `delayed`, `dead` and `held`; `leases` mirrors the union of `held`.
///
/// With more than one partition a task lives in that of its id, a pull asks partitions in turn until its capacity is met,
/// and a heartbeat, a command and a page of workers go to all of them (leases live by the `seen` beside them).
struct QueueKeys: Sendable, Equatable {
    /// KEYS[1] of every script, the braces included.
    let prefix: String

    /// - Parameters:
    ///   - kind: `parcel` or `party`.
    ///   - partition: 0 …< the number of partitions; by the hash of a task id, 0 while there is one.
    init(kind: String, partition: Int) {
        prefix = "{\(kind):\(partition)}:"
    }

    var tasks: String { prefix + "tasks" }
    var leases: String { prefix + "leases" }
    var history: String { prefix + "history" }
    var delayed: String { prefix + "delayed" }
    var dead: String { prefix + "dead" }
    var errors: String { prefix + "errors" }
    var sequence: String { prefix + "seq" }
    var turns: String { prefix + "turns" }
    var check: String { prefix + "check" }
    var seen: String { prefix + "seen" }
    var fleet: String { prefix + "fleet" }
    var status: String { prefix + "status" }
    var polls: String { prefix + "polls" }
    var commanded: String { prefix + "commanded" }
    var reaper: String { prefix + "reaper" }
    var wake: String { prefix + "wake" }

    func ready(level: Int, tier: Int, platform: String) -> String { prefix + "ready:\(level):\(tier):\(platform)" }
    func turn(tierMax: Int) -> String { prefix + "turn:\(tierMax)" }
    func held(by worker: String) -> String { prefix + "held:\(worker)" }
    func commands(to worker: String) -> String { prefix + "commands:\(worker)" }
}
