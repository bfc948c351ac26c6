# Sourced by scripts/bench: one function a turn, `turn_NAME`; each notes the metrics that scripts/bench.d/rows names.
# shellcheck shell=bash

turn_floor() { ! has floor || heartbeats floor; }
turn_nginx() { ! has nginx || heartbeats nginx; }
turn_nginx_lua() { ! has nginx_lua || heartbeats nginx_lua; }
turn_fastapi() { ! has fastapi || heartbeats fastapi; }
turn_uring() { ! has uring || heartbeats uring; }

turn_epoll() {
    has epoll
    heartbeats epoll
}

# Two reactors need two cores, on which the load and Redis run as well: what a heartbeat costs tells how far they would get. As many connections for each reactor.
turn_reactors() {
    local name connections
    for name in one two; do
        has "$name"
        connections=$CONNECTIONS
        [[ $name == one ]] || connections=$((2 * CONNECTIONS))
        bench heartbeat --url "http://127.0.0.1:${port_of[$name]}" --connections "$connections" --duration "${MEASURE_SECONDS}s" \
            --warmup "${WARMUP_SECONDS}s" --server-pid "${pid_of[$name]}"
        note "${name}_us" "$(reported server.cpuMicrosPerRequest)"
    done
}

# Two gateways of one reactor each on one port: the same load meets two threads that share nothing.
turn_apart() {
    local before rate
    has left && has right
    before=$(($(cpu_ns "${pid_of[left]}") + $(cpu_ns "${pid_of[right]}")))
    bench heartbeat --url "http://127.0.0.1:${port_of[left]}" --connections "$((2 * CONNECTIONS))" --duration "${MEASURE_SECONDS}s" \
        --warmup "${WARMUP_SECONDS}s"
    rate=$(reported achievedRate)
    # Warm-up included, at the rate of what was measured.
    note apart_us "$(awk -v ns="$(($(cpu_ns "${pid_of[left]}") + $(cpu_ns "${pid_of[right]}") - before))" -v rate="$rate" \
        -v seconds="$MEASURE_SECONDS" -v warm="$WARMUP_SECONDS" 'BEGIN { printf "%.3f", ns / 1000 / rate / (seconds + warm) }')"
}

# --- results ---

# Autovacuum would come and go at its own times, into one side's turn or the other's.
empty_table() {
    psql -XAtq "$GATEWAY_POSTGRES_URL" -c 'ALTER TABLE parcel_results SET (autovacuum_enabled = off)' \
        -c 'TRUNCATE parcel_results' -c CHECKPOINT
}

# Clock ticks that all of PostgreSQL has run: its processes, and those that have ended.
postgres_ticks() {
    local children child
    children=$(cat "/proc/$postgres_pid/task/$postgres_pid/children")
    {
        # Behind the name in brackets: its own times are fields 12 and 13, those of ended children 14 and 15.
        sed 's/.*) //' "/proc/$postgres_pid/stat" | cut -d ' ' -f 14,15
        # A child may end between the two looks.
        for child in $children; do sed 's/.*) //' "/proc/$child/stat" 2>/dev/null | cut -d ' ' -f 12,13 || true; done
    } | awk '{ sum += $1 + $2 } END { print sum }'
}

postgres_row_us() { # TICKS_BEFORE
    awk -v ticks="$(($(postgres_ticks) - $1))" -v hertz="$(getconf CLK_TCK)" -v rows="$ROWS" \
        'BEGIN { printf "%.1f", ticks / hertz / rows * 1e6 }'
}

copy() { # NAME BATCH SESSIONS
    local line before
    empty_table
    before=$(postgres_ticks)
    line=$("$work/copy" "$GATEWAY_POSTGRES_URL" "$ROWS" "$2" "$3" "$PAYLOAD_BYTES" 0)
    note "$1_rows" "$(value_of rows_rate "$line")"
    # The kernel books the time of COPY's backend to its parent once that has seen it end.
    sleep 0.3
    note "$1_postgres_us" "$(postgres_row_us "$before")"
}

results() { # NAME ITEMS
    local line before warm_up=$((1280 / $2))
    empty_table
    before=$(postgres_ticks)
    line=$(run_load "${port_of[epoll]}" "${pid_of[epoll]}" --mode results --items "$2" --warm-up "$warm_up" \
        --requests $((ROWS / $2)) --first 0)
    note "$1_rows" "$(value_of rows_rate "$line")"
    note "$1_row_us" "$(ratio "$(value_of server_us "$line")" "$2" 3)"
    # The warm-up's rows are in the ticks: 3 % that PostgreSQL is charged too much.
    note "$1_postgres_us" "$(postgres_row_us "$before")"
}

# All cores are free for all, as they are for COPY.
turn_results() {
    local LOAD_CORES=$ALL_CORES
    has epoll
    pin "$ALL_CORES" "${pid_of[epoll]}"
    pin "$ALL_CORES" "$redis_pid"
    copy copy "$ROWS" 1
    results single 1
    copy copy64 "$BATCH_ROWS" "$sessions"
    results twenty 20
    pin "$SERVER_CORE" "${pid_of[epoll]}"
    pin "$SERVER_CORE" "$redis_pid"
}

# --- work ---

# Tasks for one platform, as many as asked for.
enqueue() { # PLATFORM COUNT
    local answer
    answer=$(awk -v platform="$1" -v count="$2" 'BEGIN {
        for (i = 0; i < count; i++)
            printf "{\"task_id\":\"%s-%08d\",\"platform\":\"%s\",\"target\":{\"state\":\"CO\",\"county\":\"Larimer\"}}\n", platform, i, platform
    }' | curl -s --max-time 60 -H "X-Ops-Token: $ops_token" -H 'Content-Type: application/x-ndjson' --data-binary @- \
        "http://127.0.0.1:$port/internal/tasks")
    [[ $answer == *"\"accepted\":$2,"* ]] || die "tasks were not queued: $answer"
}

queue() {
    curl -s --max-time 10 -H "X-Ops-Token: $ops_token" "http://127.0.0.1:$port/internal/queue"
}

# A gateway of its own on an empty queue: what is leased here must not come back into another turn.
turn_work() {
    local line warm_up=$((PULLS / 10))
    redis-cli -s "$redis_socket" FLUSHALL >/dev/null
    start_gateway GATEWAY_WORKER_RATE_PER_MINUTE=0 GATEWAY_OPS_TOKENS="$ops_token"
    # Nothing but pulls, each with a task to get.
    enqueue pulled $((PULLS + warm_up))
    pin "$SERVER_CORE" "$gateway_pid"
    line=$(run_load "$port" "$gateway_pid" --mode get --path '/internal/work?capacity=1&platforms=pulled' --warm-up "$warm_up" \
        --requests "$PULLS")
    [[ $(queue) == *"\"leased\":$((PULLS + warm_up)),"* ]] || die "some pulls got no task: $(queue)"
    note pull_us "$(value_of server_us "$line")"
    enqueue finished "$TASKS"
    pin "$ALL_CORES" "$gateway_pid"
    bench work --url "http://127.0.0.1:$port" --connections "$CONNECTIONS" --platforms finished --capacity 20 --tasks "$TASKS" \
        --no-enqueue
    note tasks_rate "$(awk -v tasks="$(reported 'tasks completed')" -v seconds="$(reported seconds)" 'BEGIN { printf "%.0f", tasks / seconds }')"
    stop_gateway
    redis-cli -s "$redis_socket" FLUSHALL >/dev/null
}

# --- latency ---

turn_latency() {
    local tool knee
    has epoll
    tool=(heartbeat --url "http://127.0.0.1:${port_of[epoll]}" --connections "$CONNECTIONS")
    bench "${tool[@]}" --until-p99 5ms --rate 10000 --duration "${KNEE_SECONDS}s" --warmup 200ms
    knee=$(reported knee.found.rate)
    note latency_rate "$(product "$knee" 0.6 0)"
    bench "${tool[@]}" --rate "$(product "$knee" 0.6 0)" --duration "${LATENCY_SECONDS}s" --warmup "${WARMUP_SECONDS}s"
    note p99_ms "$(ratio "$(reported latency.p99)" 1000 3)"
    note p999_ms "$(ratio "$(reported latency.p999)" 1000 3)"
    # The same sends to a server that does nothing: what of the tail is the machine's.
    has floor
    bench heartbeat --url "http://127.0.0.1:${port_of[floor]}" --connections "$CONNECTIONS" --rate "$(product "$knee" 0.6 0)" \
        --duration "${LATENCY_SECONDS}s" --warmup "${WARMUP_SECONDS}s"
    note floor_p99_ms "$(ratio "$(reported latency.p99)" 1000 3)"
    note floor_p999_ms "$(ratio "$(reported latency.p999)" 1000 3)"
}

# --- idle connections ---

resident_kb() { # PID
    sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"
}

descriptors() { # PID
    find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l
}

# In a fresh process, whose memory nothing but heartbeats has grown. What the idle connections cost is the growth over that.
hold_idle() { # NAME CONNECTIONS
    local name=$1 count=$2 idle_pid before deadline=$((SECONDS + 60)) url
    start_gateway GATEWAY_WORKER_RATE_PER_MINUTE=0
    pin "$SERVER_CORE" "$gateway_pid"
    url=http://127.0.0.1:$port
    bench heartbeat --url "$url" --connections "$CONNECTIONS" --duration "${MEASURE_SECONDS}s" --warmup "${WARMUP_SECONDS}s"
    note "${name}_count" "$count"
    note "${name}_rate_before" "$(product "$(reported achievedRate)" 1 0)"
    before=$(resident_kb "$gateway_pid")
    taskset -c "$LOAD_CORES" "$bench_tool" idle --url "$url/health" --connections "$count" --sources 127.0.0.1,127.0.0.2 \
        --duration "$((MEASURE_SECONDS + 6))s" --quiet --json "$work/idle.json" 2>"$work/idle.log" &
    idle_pid=$!
    record_child idle "$idle_pid"
    until (($(descriptors "$gateway_pid") > count)); do
        kill -0 "$idle_pid" 2>/dev/null && ((SECONDS < deadline)) || die "idle connections: $(tail -n 2 "$work/idle.log")"
        sleep 0.2
    done
    # The last answers are on their way.
    sleep 1
    note "${name}_bytes" "$(awk -v kb="$(($(resident_kb "$gateway_pid") - before))" -v n="$count" 'BEGIN { printf "%.0f", kb * 1024 / n }')"
    bench heartbeat --url "$url" --connections "$CONNECTIONS" --duration "${MEASURE_SECONDS}s" --warmup "${WARMUP_SECONDS}s"
    (($(descriptors "$gateway_pid") > count)) || die "idle connections were not held for as long as the heartbeats ran"
    note "${name}_rate" "$(product "$(reported achievedRate)" 1 0)"
    wait "$idle_pid" || die "idle connections: $(tail -n 2 "$work/idle.log")"
    rm -f "$work/children/idle"
    stop_gateway
}

turn_idle_10k() { hold_idle idle_10k 10000; }

# As many as asked for, or as this shell's limit of descriptors allows.
turn_idle_most() {
    local count=50000 most=$(($(ulimit -n) - 1500))
    if ((most < count)); then
        remark "fewer than 50,000 connections are held: a process may open $(ulimit -n) descriptors here"
        count=$most
    fi
    hold_idle idle_most "$count"
}

# --- the tool itself ---

turn_tools() {
    local line times url
    has floor
    url=http://127.0.0.1:${port_of[floor]}/
    bench get "$url" --connections "$CONNECTIONS" --duration "${MEASURE_SECONDS}s" --warmup "${WARMUP_SECONDS}s"
    note bench_us "$(reported client.cpuMicrosPerRequest)"
    note bench_rate "$(product "$(reported achievedRate)" 1 0)"
    if command -v wrk >/dev/null; then
        TIMEFORMAT='%U %S'
        times=$({ time taskset -c "$LOAD_CORES" wrk -t 1 -c "$CONNECTIONS" -d "${MEASURE_SECONDS}s" "$url" >"$work/wrk"; } 2>&1)
        note wrk_us "$(awk -v times="$times" '/requests in/ { split(times, t, " "); printf "%.3f", (t[1] + t[2]) * 1e6 / $1 }' "$work/wrk")"
        note wrk_rate "$(awk '/^Requests\/sec/ { printf "%.0f", $2 }' "$work/wrk")"
    else
        remark "wrk is left out: it is not installed"
    fi
    has epoll
    bench heartbeat --url "http://127.0.0.1:${port_of[epoll]}" --connections "$CONNECTIONS" --duration "${MEASURE_SECONDS}s" \
        --warmup "${WARMUP_SECONDS}s" --server-pid "${pid_of[epoll]}"
    note check_bench_us "$(reported server.cpuMicrosPerRequest)"
    line=$(run_load "${port_of[epoll]}" "${pid_of[epoll]}" --mode heartbeat --warm-up 20000 --requests $((MEASURE_SECONDS * 60000)))
    note check_load_us "$(value_of server_us "$line")"
}
