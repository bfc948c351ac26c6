/* A closed-loop HTTP load generator: every connection has one request in flight, all on one thread over epoll.
 * For scripts/allocations and scripts/bench. It reports what happened in the measured part, behind a warm-up:
 * requests, errors, rate, CPU time of the server process by the kernel's accounting, and the allocation counters.
 * Where none of that is needed, gateway-bench is the tool; this one is its independent check.
 * Limits: CONNECTIONS_MAX connections, ITEMS_MAX results a post; answers of ANSWER_MAX bytes at most. */
#include <errno.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../scripts/allocations.d/counters.h"
#include "payload.h"

enum { CONNECTIONS_MAX = 20000, ITEMS_MAX = 1000, ANSWER_MAX = 64 * 1024, EVENTS_MAX = 512, WORKERS = 10000 };

struct connection {
    int descriptor;
    char *request;
    size_t request_count, sent;
    char *answer;
    size_t answer_count;
};

static struct {
    const char *mode, *host, *token, *path, *counters;
    int port, connections, items, server_pid;
    long requests, warm_up, first;
    size_t bytes;
} options = {.mode = "heartbeat", .host = "127.0.0.1", .token = "", .path = "/health", .connections = 64, .items = 1,
             .requests = 100000, .bytes = 3072};

static struct payload payloads[PAYLOAD_COUNT];
static struct connection *connections;
static long started, done, errors;
static long next_row;

static void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- what is measured of the server --- */

/* Nanoseconds on a core, of all threads of a process. */
static double cpu_nanoseconds(int pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    double sum = 0;
    if (!tasks) return 0;
    for (struct dirent *task; (task = readdir(tasks));) {
        if (task->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/%d/task/%.16s/schedstat", pid, task->d_name);
        FILE *file = fopen(path, "r");
        unsigned long long on_core = 0;
        if (file && fscanf(file, "%llu", &on_core) == 1) sum += (double)on_core;
        if (file) fclose(file);
    }
    closedir(tasks);
    return sum;
}

static volatile struct allocation_counters *counters;

static void map_counters(void) {
    if (!options.counters) return;
    int file = open(options.counters, O_RDWR);
    if (file < 0) fail(options.counters);
    counters = mmap(NULL, sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (counters == MAP_FAILED) fail("mmap");
    close(file);
}

struct reading {
    double seconds, server_ns, own_ns;
    struct allocation_counters counters;
};

static struct reading take_reading(void) {
    struct reading reading = {.seconds = seconds_now(), .own_ns = cpu_nanoseconds(getpid())};
    if (options.server_pid) reading.server_ns = cpu_nanoseconds(options.server_pid);
    if (counters) reading.counters = *(struct allocation_counters *)counters;
    return reading;
}

static void report(const struct reading *a, const struct reading *b, long requests) {
    double seconds = b->seconds - a->seconds, each = (double)requests;
    printf("requests=%ld errors=%ld seconds=%.3f rate=%.0f rows_rate=%.0f server_us=%.3f server_share=%.2f load_us=%.3f", requests,
           errors, seconds, each / seconds, each * options.items / seconds, (b->server_ns - a->server_ns) / each / 1000,
           (b->server_ns - a->server_ns) / seconds / 1e9, (b->own_ns - a->own_ns) / each / 1000);
    if (counters)
        printf(" own=%llu objects=%llu libpq=%llu", (unsigned long long)(b->counters.own - a->counters.own),
               (unsigned long long)(b->counters.objects - a->counters.objects),
               (unsigned long long)(b->counters.libpq - a->counters.libpq));
    putchar('\n');
}

/* --- requests --- */

static int write_head(char *at, const char *method, const char *path, long worker, size_t body) {
    return sprintf(at,
                   "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX-Worker-Token: %s\r\nX-Worker-ID: worker-%06ld\r\n"
                   "User-Agent: parser-worker/2.3 (python-httpx 0.27)\r\nAccept: application/json\r\nAccept-Encoding: gzip, deflate\r\n"
                   "Connection: keep-alive\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                   method, path, options.port, options.token, worker % WORKERS, body);
}

static void write_heartbeat(struct connection *connection, long number) {
    static const char body[] = "{\"active_tasks\":3,\"completed_last_minute\":41,\"failed_last_minute\":1,"
                               "\"platforms\":[\"beacon\",\"qpublic\"],\"cpu_percent\":37.5,\"memory_percent\":61.25}";
    int head = write_head(connection->request, "POST", "/internal/heartbeat", number, sizeof body - 1);
    memcpy(connection->request + head, body, sizeof body - 1);
    connection->request_count = (size_t)head + sizeof body - 1;
}

static char *write_item(char *at, long row) {
    static const char *platforms[] = {"beacon", "qpublic", "treasurer"};
    const struct payload *payload = &payloads[row % PAYLOAD_COUNT];
    at += sprintf(at,
                  "{\"task_id\":\"load-%09ld\",\"parcel_id\":\"R%09ld\",\"platform\":\"%s\",\"state\":\"CO\",\"county\":\"Larimer\","
                  "\"parse_duration_ms\":120,\"scraped_at\":\"2026-02-04T10:00:00.125Z\",\"data\":",
                  row, row, platforms[row % 3]);
    memcpy(at, payload->bytes, payload->count);
    at += payload->count;
    *at++ = '}';
    return at;
}

static void write_results(struct connection *connection, long number) {
    enum { HEAD_ROOM = 1024 };
    char *body = connection->request + HEAD_ROOM, *at = body;
    *at++ = '[';
    for (int item = 0; item < options.items; item++) {
        if (item) *at++ = ',';
        at = write_item(at, next_row++);
    }
    *at++ = ']';
    size_t count = (size_t)(at - body);
    int head = write_head(connection->request, "POST", "/internal/results", number, count);
    memmove(connection->request + head, body, count);
    connection->request_count = (size_t)head + count;
}

static void begin_request(struct connection *connection) {
    long number = started++;
    if (!strcmp(options.mode, "heartbeat"))
        write_heartbeat(connection, number);
    else if (!strcmp(options.mode, "results"))
        write_results(connection, number);
    else
        connection->request_count = (size_t)sprintf(
            connection->request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX-Worker-Token: %s\r\nX-Worker-ID: worker-%06ld\r\n\r\n",
            options.path, options.port, options.token, number % WORKERS);
    connection->sent = 0;
    connection->answer_count = 0;
}

/* --- connections --- */

static int poller;

static void watch(struct connection *connection, uint32_t events, int operation) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(poller, operation, connection->descriptor, &event) < 0) fail("epoll_ctl");
}

static void open_connection(struct connection *connection) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    inet_pton(AF_INET, options.host, &address.sin_addr);
    connection->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->descriptor < 0) fail("socket");
    if (connect(connection->descriptor, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
    int on = 1;
    setsockopt(connection->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(connection->descriptor, F_SETFL, O_NONBLOCK);
    watch(connection, EPOLLIN, EPOLL_CTL_ADD);
}

static void send_rest(struct connection *connection) {
    size_t left = connection->request_count - connection->sent;
    ssize_t count = send(connection->descriptor, connection->request + connection->sent, left, MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN) fail("send");
    if (count > 0) connection->sent += (size_t)count;
    if ((size_t)(count < 0 ? 0 : count) < left)
        watch(connection, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
    else if (left < connection->request_count)
        watch(connection, EPOLLIN, EPOLL_CTL_MOD);
}

/* 0 while the answer is not complete. */
static int is_complete(const struct connection *connection) {
    const char *end = memmem(connection->answer, connection->answer_count, "\r\n\r\n", 4);
    if (!end) return 0;
    const char *length = memmem(connection->answer, (size_t)(end - connection->answer) + 2, "Content-Length: ", 16);
    if (!length) {
        errno = EPROTO;
        fail("an answer without Content-Length");
    }
    size_t body = strtoul(length + 16, NULL, 10);
    return connection->answer_count >= (size_t)(end + 4 - connection->answer) + body;
}

static int is_good(const struct connection *connection) {
    if (memcmp(connection->answer, "HTTP/1.1 200", 12)) return 0;
    return strcmp(options.mode, "results") || memmem(connection->answer, connection->answer_count, "\"failed\":0", 10);
}

static void receive(struct connection *connection) {
    ssize_t count = recv(connection->descriptor, connection->answer + connection->answer_count,
                         ANSWER_MAX - connection->answer_count, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) fail("the server closed a connection");
    connection->answer_count += (size_t)count;
    if (!is_complete(connection)) return;
    if (!is_good(connection) && errors++ < 3)
        fprintf(stderr, "load: %.*s\n", (int)connection->answer_count, connection->answer);
    done++;
    if (started == options.warm_up + options.requests) return;
    begin_request(connection);
    send_rest(connection);
}

static void run(void) {
    struct epoll_event events[EVENTS_MAX];
    struct reading before = take_reading();
    long total = options.warm_up + options.requests, counted_from = 0;
    int is_warm = options.warm_up == 0;
    for (int index = 0; index < options.connections && started < total; index++) {
        begin_request(&connections[index]);
        send_rest(&connections[index]);
    }
    while (done < total) {
        int count = epoll_wait(poller, events, EVENTS_MAX, 30000);
        if (count == 0) {
            errno = ETIMEDOUT;
            fail("no answer");
        }
        for (int index = 0; index < count; index++) {
            struct connection *connection = events[index].data.ptr;
            if (events[index].events & EPOLLOUT) send_rest(connection);
            if (events[index].events & ~(uint32_t)EPOLLOUT) receive(connection);
        }
        if (!is_warm && done >= options.warm_up) {
            is_warm = 1;
            counted_from = done;
            before = take_reading();
        }
    }
    struct reading after = take_reading();
    report(&before, &after, done - counted_from);
}

static void parse_options(int argc, char **argv) {
    static const struct option names[] = {
        {"mode", 1, 0, 'm'}, {"port", 1, 0, 'p'}, {"token", 1, 0, 't'}, {"connections", 1, 0, 'c'}, {"requests", 1, 0, 'n'},
        {"warm-up", 1, 0, 'w'}, {"items", 1, 0, 'i'}, {"bytes", 1, 0, 'b'}, {"first", 1, 0, 'f'}, {"server-pid", 1, 0, 's'},
        {"counters", 1, 0, 'a'}, {"path", 1, 0, 'g'}, {0, 0, 0, 0}};
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (option) {
        case 'm': options.mode = optarg; break;
        case 'p': options.port = atoi(optarg); break;
        case 't': options.token = optarg; break;
        case 'c': options.connections = atoi(optarg); break;
        case 'n': options.requests = atol(optarg); break;
        case 'w': options.warm_up = atol(optarg); break;
        case 'i': options.items = atoi(optarg); break;
        case 'b': options.bytes = (size_t)atol(optarg); break;
        case 'f': options.first = atol(optarg); break;
        case 's': options.server_pid = atoi(optarg); break;
        case 'a': options.counters = optarg; break;
        case 'g': options.path = optarg; break;
        default:
            fprintf(stderr, "usage: load --mode heartbeat|results|get --port N --token T [--connections N] [--requests N]\n"
                            "  [--warm-up N] [--items N] [--bytes N] [--first ROW] [--server-pid PID] [--counters FILE] [--path P]\n");
            exit(2);
        }
    }
    if (options.connections < 1 || options.connections > CONNECTIONS_MAX || options.items < 1 || options.items > ITEMS_MAX) {
        errno = EINVAL;
        fail("connections or items");
    }
}

int main(int argc, char **argv) {
    parse_options(argc, argv);
    next_row = options.first;
    payload_make_all(payloads, options.bytes);
    map_counters();
    poller = epoll_create1(EPOLL_CLOEXEC);
    connections = calloc((size_t)options.connections, sizeof *connections);
    size_t request_bytes = strcmp(options.mode, "results") ? 2048 : 4096 + (size_t)options.items * (options.bytes + 512);
    for (int index = 0; index < options.connections; index++) {
        connections[index].request = malloc(request_bytes);
        connections[index].answer = malloc(ANSWER_MAX);
        open_connection(&connections[index]);
    }
    run();
    return errors != 0;
}
