# Sourced by scripts/bench: runs loads and notes what they measured, a line `METRIC ROUND VALUE` each in $work/figures.
# shellcheck shell=bash

round=1

note() { # METRIC VALUE
    echo "$1 $round $2" >>"$work/figures"
    printf '%s=%s ' "$1" "$2" >&2
}

# Once a run, for the page: what was left out and why, and what was found. Says it at the terminal as well.
remark() { # TEXT
    grep -qxF "$1" "$work/remarks" 2>/dev/null && return
    echo "$1" >>"$work/remarks"
    echo "bench: $1" >&2
}

ratio() { # A B DIGITS
    awk -v a="$1" -v b="$2" -v digits="${3:-2}" 'BEGIN { printf "%." digits "f", a / b }'
}

product() { # A B DIGITS
    awk -v a="$1" -v b="$2" -v digits="${3:-2}" 'BEGIN { printf "%." digits "f", a * b }'
}

# Nanoseconds that a process has run, all its threads.
cpu_ns() { # PID
    cat /proc/"$1"/task/*/schedstat 2>/dev/null | awk '{ sum += $1 } END { printf "%.0f", sum }'
}

readonly LOAD_SECONDS_MAX=120

# Runs gateway-bench on the load's core; its report is $work/report.json. More errors than one in a hundred end the run.
bench() { # COMMAND ARGUMENTS…
    timeout --foreground "$LOAD_SECONDS_MAX" taskset -c "$LOAD_CORES" "$bench_tool" "$@" --quiet --json "$work/report.json" 2>"$work/bench.log" ||
        die "gateway-bench $1 failed, or took too long: $(tail -n 3 "$work/bench.log")"
}

# A number of the report, by its path of names: server.cpuMicrosPerRequest
reported() { # PATH
    python3 - "$work/report.json" "$1" <<'END'
import functools, json, sys
report = json.load(open(sys.argv[1]))
value = functools.reduce(lambda found, name: (found or {}).get(name), sys.argv[2].split("."), report)
if value is None:
    named = [figure["value"] for figure in report.get("figures", []) if figure.get("name") == sys.argv[2]]
    value = named[0] if named else sys.exit(f"bench: gateway-bench reports no {sys.argv[2]}")
print(f"{value:.3f}" if isinstance(value, float) else value)
END
}

# An older yardstick in C, which posts the very rows that the COPY peer writes.
run_load() { # PORT PID ARGUMENTS…
    local to=$1 pid=$2
    shift 2
    taskset -c "$LOAD_CORES" "$work/load" --port "$to" --token "$token" --connections "$CONNECTIONS" --server-pid "$pid" \
        --bytes "$PAYLOAD_BYTES" "$@" || die "the load generator failed"
}

# Heartbeats in a closed loop.
heartbeats() { # NAME
    local redis_before
    redis_before=$(cpu_ns "$redis_pid")
    bench heartbeat --url "http://127.0.0.1:${port_of[$1]}" --connections "$CONNECTIONS" --duration "${MEASURE_SECONDS}s" \
        --warmup "${WARMUP_SECONDS}s" --server-pid "${pid_of[$1]}"
    note_cost "$1" "$redis_before"
}

# What the report tells of a closed loop: CPU of the server and of Redis a request, of both together, and the rate.
note_cost() { # NAME REDIS_NS_BEFORE
    local rate server_us redis_us
    rate=$(reported achievedRate)
    server_us=$(reported server.cpuMicrosPerRequest)
    # Warm-up included, at the rate of what was measured.
    redis_us=$(awk -v ns="$(($(cpu_ns "$redis_pid") - $2))" -v rate="$rate" \
        -v seconds="$MEASURE_SECONDS" -v warm="$WARMUP_SECONDS" 'BEGIN { printf "%.3f", ns / 1000 / rate / (seconds + warm) }')
    note "$1_us" "$server_us"
    note "$1_rate" "${rate%.*}"
    note "$1_redis_us" "$redis_us"
    note "$1_both_us" "$(awk -v a="$server_us" -v b="$redis_us" 'BEGIN { printf "%.3f", a + b }')"
}
