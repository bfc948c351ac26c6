# Sourced by scripts that measure a gateway: builds the C tools, starts a private Redis and PostgreSQL and a gateway
# with one reactor, and ends them all. Sets `work` (a temporary folder), `port`, `token`, `gateway_pid`. Processes that are
# recorded in $work/children end with the script, however it ends.
# shellcheck shell=bash

readonly MEASURED_READY_SECONDS_MAX=30
readonly MEASURED_STOP_SECONDS_MAX=20

measuring_name=${0##*/}
work='' gateway_pid='' guard_pid='' port='' token=measure-0123456789abcdef

die() {
    echo "$measuring_name: $*" >&2
    exit 1
}

# A folder of its own, so that nothing of another run is touched and nothing stays.
begin_measuring() {
    work=$(mktemp -d "/tmp/gateway-$measuring_name.XXXXXX")
    trap end_measuring EXIT
    trap 'exit 130' INT TERM
    touch "$work/.disposable"
    # Ends the services when this script is killed before it can.
    setsid "$root/scripts/services" guard $$ "$work" --purge </dev/null >/dev/null 2>&1 &
    guard_pid=$!
}

end_measuring() {
    local code=$?
    trap '' INT TERM
    trap - EXIT
    stop_gateway
    "$root/scripts/services" sweep "$work" --purge || code=1
    wait "$guard_pid" 2>/dev/null || true
    exit "$code"
}

# Builds a program of ours and prints where it is.
build_product() { # NAME
    local build=(swift build --configuration release --package-path "$root" --product "$1")
    "${build[@]}" >&2 || die "cannot build $1"
    echo "$("${build[@]}" --show-bin-path)/$1"
}

build_gateway() {
    gateway=$(build_product gateway)
}

# Compiles a C program or library of ours; more arguments go to the compiler.
build_tool() { # NAME SOURCE ARGUMENTS…
    local name=$1 source=$2
    shift 2
    cc -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -o "$work/$name" "$root/$source" "$@" || die "cannot compile $source"
}

start_services() {
    local name value
    while IFS='=' read -r name value; do
        case $name in
            REDIS_SOCKET) redis_socket=$value && export GATEWAY_REDIS_URL=unix://$value ;;
            REDIS_PID) redis_pid=$value ;;
            POSTGRES_URL) export GATEWAY_POSTGRES_URL=$value ;;
            POSTGRES_PID) postgres_pid=$value ;;
        esac
    done < <("$root/scripts/services" start "$work/services")
    [[ -n ${redis_pid:-} && -n ${redis_socket:-} && -n ${postgres_pid:-} ]] || die "the services did not start"
    "$gateway" migrate >&2
}

free_port() {
    local candidate
    for _ in {1..100}; do
        candidate=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null || {
            echo "$candidate"
            return
        }
    done
    die "no free port"
}

# A background process of ours; its pid alone may be somebody else's by the time it is ended.
record_child() { # NAME PID
    mkdir -p "$work/children"
    echo "$2 $(cut -d ' ' -f 22 "/proc/$2/stat")" >"$work/children/$1"
}

# Starts the gateway; arguments are NAME=value pairs for its environment, and a command such as taskset before it.
# Tells `gateway_pid` and `port`, which is $shared_port where that is set: another gateway's.
start_gateway() { # ARGUMENTS…
    local deadline=$((SECONDS + MEASURED_READY_SECONDS_MAX))
    port=${shared_port:-$(free_port)}
    env GATEWAY_HOST=127.0.0.1 GATEWAY_PORT="$port" GATEWAY_REACTORS=1 GATEWAY_WORKER_TOKENS="$token" \
        GATEWAY_ACCESS_LOG=errors GATEWAY_CONNECTIONS_MAX=100000 GATEWAY_CONNECTIONS_PER_ADDRESS_MAX=100000 \
        "$@" "$gateway" serve >"$work/gateway.log" 2>&1 &
    gateway_pid=$!
    record_child gateway "$gateway_pid"
    # On a shared port the other may be the one who answers; this one's log tells.
    until { [[ -z ${shared_port:-} ]] || grep -q 'connected to PostgreSQL' "$work/gateway.log"; } && [[ $(curl -s -o /dev/null -w '%{http_code}' --max-time 2 "http://127.0.0.1:$port/health/ready") == 200 ]]; do
        kill -0 "$gateway_pid" 2>/dev/null || die "the gateway ended: $(tail -n 3 "$work/gateway.log")"
        ((SECONDS < deadline)) || die "the gateway does not become ready: $(tail -n 3 "$work/gateway.log")"
        sleep 0.05
    done
}

stop_gateway() {
    local deadline=$((SECONDS + MEASURED_STOP_SECONDS_MAX))
    [[ -n $gateway_pid ]] || return 0
    kill -TERM "$gateway_pid" 2>/dev/null || true
    while kill -0 "$gateway_pid" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.02; done
    kill -KILL "$gateway_pid" 2>/dev/null || true
    wait "$gateway_pid" 2>/dev/null || true
    rm -f "$work/children/gateway"
    gateway_pid=''
}

# The value of a key in a line of key=value pairs.
value_of() { # KEY LINE
    sed -n "s/.*\(^\| \)$1=\([^ ]*\).*/\2/p" <<<"$2"
}
