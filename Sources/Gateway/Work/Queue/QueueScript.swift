// The catalogue of the queue's Lua scripts: every move of a task is one of them, atomic and idempotent in Redis.
// Immutable and shared by all reactors; each connection loads them (SCRIPT LOAD gives the SHA-1) and calls them by SHA.
// The precise KEYS, ARGV and reply of a script stand at the head of its file in Work/Scripts; the layout of the keys
// in QueueKeys.swift.

/// One script. Common to all: one key, `KEYS[1]` = `QueueKeys.prefix`; `ARGV[1]` = now in ms, empty to let Redis tell
/// the time (always, outside tests); replies are flat arrays or one byte per item.
enum QueueScript: String, CaseIterable, Sendable {
    /// `now, (task_id, body)…` → one byte a task: 1 accepted, 0 duplicate, 2 refused.
    case enqueue
    /// `now, worker, capacity, max_tier, poll_id, delivery_ms, timeout_ms, leases_max, platform…` →
    /// `[now_ms, due_ms, repeated, (body, attempt)…]`.
    case claim
    /// `now, (worker, task_id, attempt)…` → one byte a result: 1 ended, 0 not known, 2 of an older attempt.
    case finish
    /// `now, (worker, task_id, attempt)…` → `[bytes, platform…]`: 1 completed, 0 not leased, 2 superseded.
    case complete
    /// `now, worker, task_id, attempt, retry, max_retries, retry_base_ms, error` →
    /// `[outcome, attempt, retry_after_ms, dead, platform]`.
    case fail
    /// `now, (worker, status)…` → one byte a worker: 1 where commands wait.
    case heartbeats
    /// `now, worker, delivery_ms, max_retries, task_id…` → `[[lost…], [(platform, outcome)…]]`.
    case reconcile
    /// `now, limit, lease_ms, delivery_ms, timeout_ms, max_retries, registry_ms` →
    /// `[more, promoted, checked, dropped, (platform, outcome)…]`.
    case reap
    /// `now, acquire|release, token, ttl_ms` → 1 or 0.
    case reaperLock = "reaper_lock"
    /// `now, task_id` → `[outcome, worker]`.
    case cancel
    /// `now, task_id, body, error` → 1 buried, 0 duplicate, 2 refused.
    case bury
    /// `now, cursor, limit` → `[total, next_cursor, (body, attempts, error, died_at_ms)…]`.
    case deadList = "dead_list"
    /// `now, requeue|delete, limit, cutoff, task_id…` → `[moved, cutoff, more]`.
    case deadMove = "dead_move"
    /// `now, worker, command` → 1 left, 0 no such worker, 2 full.
    case command
    /// `now, alive_ms, command, cursor, limit` → `[reached, next_cursor]`.
    case commandAll = "command_all"
    /// `now, worker` → `[command…]`.
    case takeCommands = "take_commands"
    /// `now, cursor, limit` → `[now_ms, total, next_cursor, (worker, seen_ms, leases, status)…]`.
    case workers
    /// `now, alive_ms, offset, limit` → `[now_ms, queued, leased, delayed, dead, workers, alive, next_offset, oldest_ms,
    /// (platform, priority, depth, oldest_ms)…]`.
    case stats
    /// `now, HOST:PORT…` → the size of the pool. The proxy scripts live beside the queue (a worker's leases and proxies
    /// end together), in partition 0 of its kind.
    case proxyPool = "proxy_pool"
    /// `now, worker, platform, ttl_ms, lease_ms, pool|kept|HOST:PORT` → `[HOST:PORT, expires_ms]`.
    case proxyTake = "proxy_take"
    /// `now, worker, platform, port, ban_ms` → `[HOST:PORT, until_ms]`.
    case proxyDrop = "proxy_drop"
    /// `now, limit, lease_ms` → `[more, released, pool, allocations, (platform, banned)…]`.
    case proxyReap = "proxy_reap"

    /// What is loaded: the parts it builds on, then the script.
    var source: String {
        (parts.map(\.bytes) + [bytes]).map { String(decoding: $0, as: UTF8.self) }.joined()
    }

    var parts: [QueueScriptPart] {
        switch self {
        case .enqueue: [.clock, .ready, .sequence]
        case .claim: [.clock, .heard, .ready, .promote]
        case .finish, .cancel: [.clock, .ready, .withdraw]
        case .fail, .reconcile: [.clock, .heard, .ready, .sequence, .giveBack]
        case .reap: [.clock, .ready, .sequence, .promote, .giveBack]
        case .bury: [.clock, .ready, .sequence, .giveBack]
        case .deadMove, .stats: [.clock, .ready]
        case .proxyPool, .proxyTake, .proxyDrop, .proxyReap: [.clock, .proxy]
        case .complete, .heartbeats, .reaperLock, .deadList, .command, .commandAll, .takeCommands, .workers: [.clock]
        }
    }

    private var bytes: [UInt8] {
        switch self {
        case .enqueue: PackageResources.enqueue_lua
        case .claim: PackageResources.claim_lua
        case .finish: PackageResources.finish_lua
        case .complete: PackageResources.complete_lua
        case .fail: PackageResources.fail_lua
        case .heartbeats: PackageResources.heartbeats_lua
        case .reconcile: PackageResources.reconcile_lua
        case .reap: PackageResources.reap_lua
        case .reaperLock: PackageResources.reaper_lock_lua
        case .cancel: PackageResources.cancel_lua
        case .bury: PackageResources.bury_lua
        case .deadList: PackageResources.dead_list_lua
        case .deadMove: PackageResources.dead_move_lua
        case .command: PackageResources.command_lua
        case .commandAll: PackageResources.command_all_lua
        case .takeCommands: PackageResources.take_commands_lua
        case .workers: PackageResources.workers_lua
        case .stats: PackageResources.stats_lua
        case .proxyPool: PackageResources.proxy_pool_lua
        case .proxyTake: PackageResources.proxy_take_lua
        case .proxyDrop: PackageResources.proxy_drop_lua
        case .proxyReap: PackageResources.proxy_reap_lua
        }
    }
}

/// Functions that several scripts share, put in front of each that names them, in this order.
enum QueueScriptPart: CaseIterable, Sendable {
    case clock
    case heard
    case ready
    case sequence
    case promote
    case giveBack
    case withdraw
    case proxy

    var bytes: [UInt8] {
        switch self {
        case .clock: PackageResources.part_clock_lua
        case .heard: PackageResources.part_heard_lua
        case .ready: PackageResources.part_ready_lua
        case .sequence: PackageResources.part_sequence_lua
        case .promote: PackageResources.part_promote_lua
        case .giveBack: PackageResources.part_return_lua
        case .withdraw: PackageResources.part_withdraw_lua
        case .proxy: PackageResources.part_proxy_lua
        }
    }
}
