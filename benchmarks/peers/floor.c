/* The floor: the least that a server can do for a request of this size. Level-triggered epoll, one thread, reads until
 * the blank line and the announced body are there, sends one fixed answer. It parses nothing else, so what it costs is
 * the kernel's work. Limits: CONNECTIONS_MAX descriptors, REQUEST_MAX bytes a request, BODY_MAX of an
 * answer.  Usage: floor PORT [BYTES], to answer with so many bytes in place of an acknowledgement */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 65536, REQUEST_MAX = 256 * 1024, BODY_MAX = 64 * 1024, EVENTS_MAX = 512 };

/* As long as the gateway's answer to a heartbeat, head and body. */
static const char acknowledgement[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-ID: req_0123456789abcdef01234567\r\n"
                             "Date: Wed, 04 Feb 2026 10:00:00 GMT\r\nContent-Length: 35\r\n\r\n{\"acknowledged\":true,\"commands\":[]}";

static char made[512 + BODY_MAX];
static const char *answer = acknowledgement;
static size_t answer_size = sizeof acknowledgement - 1;

static void make_answer(size_t bytes) {
    int head = snprintf(made, 512, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", bytes);
    memset(made + head, 'x', bytes);
    answer = made, answer_size = (size_t)head + bytes;
}

/* What has arrived of a request that did not come in one piece; empty for nearly all. */
static struct partial {
    char *bytes;
    size_t count;
} partials[CONNECTIONS_MAX];

static char scratch[REQUEST_MAX];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

/* Bytes of the first request in `bytes`; 0 while it is not complete. */
static size_t request_size(const char *bytes, size_t count) {
    const char *end = memmem(bytes, count, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = (size_t)(end - bytes) + 4;
    const char *length = memmem(bytes, head, "\r\nContent-Length:", 17);
    size_t size = head + (length ? strtoul(length + 17, NULL, 10) : 0);
    return count >= size ? size : 0;
}

static void drop(int client) {
    free(partials[client].bytes);
    partials[client] = (struct partial){0};
    close(client);
}

static void serve(int client) {
    struct partial *partial = &partials[client];
    if (partial->count) memcpy(scratch, partial->bytes, partial->count);
    ssize_t received = recv(client, scratch + partial->count, REQUEST_MAX - partial->count, 0);
    if (received < 0 && errno == EAGAIN) return;
    if (received <= 0) return drop(client);
    size_t count = partial->count + (size_t)received, offset = 0;
    for (size_t size; (size = request_size(scratch + offset, count - offset)); offset += size)
        if (send(client, answer, answer_size, MSG_NOSIGNAL) < 0) return drop(client);
    partial->count = count - offset;
    if (!partial->count) return;
    if (!partial->bytes && !(partial->bytes = malloc(REQUEST_MAX))) fail("malloc");
    memcpy(partial->bytes, scratch + offset, partial->count);
}

static void accept_all(int listener, int poller) {
    for (int client, on = 1; (client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = client};
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (client >= CONNECTIONS_MAX || epoll_ctl(poller, EPOLL_CTL_ADD, client, &event) < 0) close(client);
    }
}

int main(int argc, char **argv) {
    size_t bytes = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    if (argc < 2 || argc > 3 || bytes > BODY_MAX) {
        fputs("usage: floor PORT [BYTES]\n", stderr);
        return 2;
    }
    if (bytes) make_answer(bytes);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1024) < 0) fail("listen");
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) < 0) fail("epoll_ctl");
    for (struct epoll_event events[EVENTS_MAX];;) {
        int count = epoll_wait(poller, events, EVENTS_MAX, -1);
        for (int index = 0; index < count; index++) {
            if (events[index].data.fd == listener) accept_all(listener, poller);
            else serve(events[index].data.fd);
        }
    }
}
