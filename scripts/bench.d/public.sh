# Sourced by scripts/bench: the turns of the public surface, `turn_NAME`, and the servers that they need.
# shellcheck shell=bash

readonly ANSWER_BYTES=1024 CLIENTS_MANY=20000 CLIENTS_FEW=20 KEPT_PATH=/v1/kept/1 RELAYED_PATH=/v1/relayed/1

# --- servers ---

# The service behind all of them: it runs where the load runs, so that its time is neither side's.
start_origin() {
    local to
    to=$(free_port)
    launch origin "$to" taskset -c "$LOAD_CORES" "$work/floor" "$to" "$ANSWER_BYTES" || die "the origin does not start"
}

# Publishes a key that has signed nothing, and notes each fetch.
start_keys() {
    local to
    to=$(free_port)
    launch keys "$to" taskset -c "$LOAD_CORES" python3 "$root/scripts/bench.d/keys" "$to" "$work/fetches" || die "the key server does not start"
}

start_nginx_proxy() {
    has origin
    launch_nginx nginx_proxy nginx-proxy.conf
}

# Two kinds of callers: the site, whom nothing limits here, and anonymous ones with a rate and a quota that are counted and never
# reached.
start_public() {
    has origin
    has keys
    cat >"$work/routes.yaml" <<END
versions: [{version: v1, status: current}]
routes:
  - {match: "GET /v1/kept/{id}", service: parser, path: "/{id}", feature: details, cache_seconds: 3600}
  - {match: "GET /v1/relayed/{id}", service: parser, path: "/{id}"}
END
    cat >"$work/tiers.yaml" <<END
tiers:
  internal: {rate_per_minute: 0}
  anonymous: {rate_per_minute: 600000, burst: 100000, quotas: {details: {day: 1000000000}}}
END
    start_kept public GATEWAY_IO_BACKEND=epoll GATEWAY_ROUTES_FILE="$work/routes.yaml" GATEWAY_TIERS_FILE="$work/tiers.yaml" \
        GATEWAY_PARSER_SERVICE_URL="http://127.0.0.1:${port_of[origin]}" GATEWAY_SSR_SERVICE_TOKEN="$token" \
        GATEWAY_FIREBASE_PROJECT_ID=bench GATEWAY_FIREBASE_JWKS_URL="http://127.0.0.1:${port_of[keys]}/" \
        GATEWAY_TRUSTED_PROXIES=127.0.0.1
    pin "$SERVER_CORE" "${pid_of[public]}"
}

# --- turns ---

# GETs in a closed loop: CPU of the server a request, and of Redis with it.
gets() { # METRIC SERVER PATH ARGUMENTS…
    local metric=$1 server=$2 path=$3 redis_before
    shift 3
    redis_before=$(cpu_ns "$redis_pid")
    bench get "http://127.0.0.1:${port_of[$server]}$path" --connections "$CONNECTIONS" --duration "${MEASURE_SECONDS}s" \
        --warmup "${WARMUP_SECONDS}s" --server-pid "${pid_of[$server]}" "$@"
    note_cost "$metric" "$redis_before"
}

turn_nginx_kept() { ! has nginx_proxy || gets nginx_kept nginx_proxy "$KEPT_PATH"; }
turn_nginx_relayed() { ! has nginx_proxy || gets nginx_relayed nginx_proxy "$RELAYED_PATH"; }

turn_kept() {
    has public
    gets kept public "$KEPT_PATH" -H "X-SSR-Token: $token"
}

turn_relayed() {
    has public
    gets relayed public "$RELAYED_PATH" -H "X-SSR-Token: $token"
}

turn_clients() {
    local clients name
    has public
    for name in few many; do
        clients=$CLIENTS_FEW
        [[ $name == few ]] || clients=$CLIENTS_MANY
        # One client a /64.
        gets "clients_$name" public "$KEPT_PATH" --distinct "$clients" -H 'X-Forwarded-For: 2001:db8:1:{}::7'
    done
    # Some 200,000 keys that would expire in the middle of other turns.
    redis-cli -s "$redis_socket" FLUSHALL >/dev/null
}

# Whatever the gateway has asked others for.
asked() {
    local fetches
    fetches=$(wc -l <"$work/fetches")
    curl -s --max-time 5 "http://127.0.0.1:${port_of[public]}/metrics" |
        awk -v sum="$fetches" '/^gateway_upstream_requests_total/ { sum += $2 } END { print sum }'
}

base64url() { base64 -w 0 | tr '+/' '-_' | tr -d '='; }

# Right in all but its signature, which is another one each time.
forged_token() {
    local now
    now=$(date +%s)
    printf '%s.%s.' "$(printf '{"alg":"RS256","kid":"bench"}' | base64url)" \
        "$(printf '{"iss":"https://securetoken.google.com/bench","aud":"bench","sub":"forger","iat":%d,"auth_time":%d,"exp":%d,"tier":"premium"}' \
            "$now" "$now" $((now + 3600)) | base64url)"
    # 256 bytes.
    printf 'A%.0s' {1..100}
    printf '{}'
    printf 'A%.0s' {1..238}
}

turn_forged() {
    local before
    has public
    before=$(asked)
    gets forged public "$KEPT_PATH" --distinct "$CLIENTS_MANY" --expect 401 -H "Authorization: Bearer $(forged_token)"
    note forged_asked $(($(asked) - before))
}
