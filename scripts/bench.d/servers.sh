# Sourced by scripts/bench: the servers that take turns. Each is started when a turn needs it first and ends with the
# script; `has NAME` is false where it cannot be had, which is remarked and no error. Tells pid_of[NAME] and port_of[NAME].
# shellcheck shell=bash

declare -A pid_of port_of absent

# Peers need no privileges: root's are dropped where we have them.
unprivileged=()
((EUID != 0)) || unprivileged=(setpriv --no-new-privs --bounding-set=-all)

has() { # NAME
    [[ -z ${absent[$1]:-} ]] || return 1
    [[ -n ${pid_of[$1]:-} ]] || "start_$1"
    [[ -n ${pid_of[$1]:-} ]]
}

leave_out() { # NAME WHY
    absent[$1]=1
    remark "$1 is left out: ${2//"$root"\//}"
}

# Starts a command in the background and waits until its port answers.
launch() { # NAME PORT COMMAND…
    local name=$1 to=$2 pid deadline=$((SECONDS + MEASURED_READY_SECONDS_MAX))
    shift 2
    "$@" >"$work/$name.log" 2>&1 &
    pid=$!
    record_child "$name" "$pid" 2>/dev/null || true
    until (exec 3<>"/dev/tcp/127.0.0.1/$to") 2>/dev/null; do
        kill -0 "$pid" 2>/dev/null || return 1
        ((SECONDS < deadline)) || return 1
        sleep 0.02
    done
    pid_of[$name]=$pid port_of[$name]=$to
}

pin() { # CORES PID
    taskset -acp "$1" "$2" >/dev/null
}

start_floor() {
    local to
    to=$(free_port)
    launch floor "$to" taskset -c "$SERVER_CORE" "$work/floor" "$to" || die "the floor does not start"
}

# --- ours ---

# A gateway that stays; start_gateway's own is the one of this moment.
start_kept() { # NAME ENVIRONMENT…
    local name=$1
    shift
    start_gateway GATEWAY_WORKER_RATE_PER_MINUTE=0 "$@"
    pid_of[$name]=$gateway_pid port_of[$name]=$port
    mv "$work/children/gateway" "$work/children/$name"
    gateway_pid=''
}

sessions_count() {
    psql -XAtq "$GATEWAY_POSTGRES_URL" -c \
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
}

start_epoll() {
    local before
    before=$(sessions_count)
    start_kept epoll GATEWAY_IO_BACKEND=epoll
    sessions=$(($(sessions_count) - before))
    pin "$SERVER_CORE" "${pid_of[epoll]}"
}

uses_uring() { # PID
    find "/proc/$1/fd" -lname '*io_uring*' -print -quit | grep -q .
}

start_uring() {
    start_kept uring GATEWAY_IO_BACKEND=io_uring
    if ! uses_uring "${pid_of[uring]}"; then
        pid_of[uring]=''
        leave_out uring "this kernel or this gateway has no io_uring"
        return
    fi
    pin "$SERVER_CORE" "${pid_of[uring]}"
    start_gateway GATEWAY_IO_BACKEND=auto
    if uses_uring "$gateway_pid"; then remark "auto picks io_uring here"; else remark "auto picks epoll here"; fi
    stop_gateway
}

# Over epoll: with io_uring the CPU of a heartbeat shows up in Redis as well, and a reactor alone would tell too little.
start_one() { start_kept one GATEWAY_REACTORS=1 GATEWAY_IO_BACKEND=epoll; }
start_left() { start_kept left GATEWAY_REACTORS=1 GATEWAY_IO_BACKEND=epoll; }

# On the port of the other, among whose connections the kernel shares out what comes.
start_right() {
    shared_port=${port_of[left]} start_kept right GATEWAY_REACTORS=1 GATEWAY_IO_BACKEND=epoll
}

start_two() { start_kept two GATEWAY_REACTORS=2 GATEWAY_IO_BACKEND=epoll; }

# --- others ---

# A folder of its own with the configuration filled in.
nginx_prefix() { # NAME TEMPLATE PORT
    mkdir -p "$work/$1"
    sed "s|@PORT@|$3|; s|@ORIGIN@|${port_of[origin]:-}|; s|@USER@|$(id -un)|; s|@GROUP@|$(id -gn)|; s|@FOLDER@|$root/benchmarks/peers/nginx-lua|
        s|@LUA@|$root/.peers/lua/usr/share/lua/5.1|" "$root/benchmarks/peers/$2" >"$work/$1/nginx.conf"
}

launch_nginx() { # NAME TEMPLATE ENVIRONMENT…
    local name=$1 template=$2 to
    shift 2
    PATH=$PATH:/usr/sbin command -v nginx >/dev/null || {
        leave_out "$name" "nginx is not installed"
        return
    }
    to=$(free_port)
    nginx_prefix "$name" "$template" "$to"
    launch "$name" "$to" env PATH="$PATH:/usr/sbin" "$@" taskset -c "$SERVER_CORE" ${unprivileged[@]+"${unprivileged[@]}"} \
        nginx -p "$work/$name/" -c nginx.conf || leave_out "$name" "$(tail -n 1 "$work/$name.log")"
}

start_nginx() { launch_nginx nginx nginx.conf; }

start_nginx_lua() {
    launch_nginx nginx_lua nginx-lua/nginx.conf BENCH_TOKEN="$token" BENCH_REDIS_SOCKET="$redis_socket"
    check_peer nginx_lua
}

start_fastapi() {
    local to python=$root/.peers/python/bin/python
    [[ -x $python ]] || {
        leave_out fastapi "it is not installed"
        return
    }
    to=$(free_port)
    launch fastapi "$to" env BENCH_TOKEN="$token" BENCH_REDIS_SOCKET="$redis_socket" PYTHONDONTWRITEBYTECODE=1 \
        taskset -c "$SERVER_CORE" ${unprivileged[@]+"${unprivileged[@]}"} \
        "$python" -m uvicorn --app-dir "$root/benchmarks/peers" fastapi_heartbeat:app --host 127.0.0.1 --port "$to" \
        --loop uvloop --http httptools --no-access-log --log-level warning ||
        leave_out fastapi "$(tail -n 1 "$work/fastapi.log")"
    check_peer fastapi
}

# A peer that answers at once but does not do the work would be no comparison: it must refuse what is wrong, and a heartbeat must
# be in Redis.
check_peer() { # NAME
    local name=$1 url=http://127.0.0.1:${port_of[$1]:-}/internal/heartbeat found
    [[ -n ${pid_of[$name]:-} ]] || return 0
    local body='{"active_tasks":1,"completed_last_minute":0,"failed_last_minute":0,"platforms":["a"],"cpu_percent":1,"memory_percent":2}'
    found=$(
        for sent in "$token|$body" "wrong|$body" "$token|{}"; do
            curl -s -o /dev/null -w '%{http_code} ' --max-time 5 -H "X-Worker-Token: ${sent%%|*}" -H "X-Worker-ID: check-$name" \
                --data-binary "${sent#*|}" "$url"
        done
        redis-cli -s "$redis_socket" ZSCORE bench:fleet "check-$name"
    )
    [[ $found == "200 401 422 0" ]] || die "$name does not do what a heartbeat does: $found"
}
