#include "creactor/blocking.h"

#include "creactor/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct cr_blocking {
    int descriptor;
    SSL *tls; /* NULL: plain */
};

struct cr_trust *cr_trust_create(const char *ca_file) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context) return NULL;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    int loaded = ca_file ? SSL_CTX_load_verify_locations(context, ca_file, NULL)
                         : SSL_CTX_set_default_verify_paths(context);
    if (loaded == 1) return (struct cr_trust *)context;
    SSL_CTX_free(context);
    ERR_clear_error();
    return NULL;
}

void cr_trust_free(struct cr_trust *trust) { SSL_CTX_free((SSL_CTX *)trust); }

static int set_timeouts(int descriptor, int timeout_ms) {
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) < 0) return -errno;
    return setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) < 0 ? -errno : 0;
}

/* SO_SNDTIMEO bounds connect(2) too: it fails with EINPROGRESS then. */
static int connect_address(const struct addrinfo *address, int timeout_ms) {
    int descriptor = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    int status = set_timeouts(descriptor, timeout_ms);
    if (status == 0 && connect(descriptor, address->ai_addr, address->ai_addrlen) < 0) {
        status = errno == EINPROGRESS ? -ETIMEDOUT : -errno;
    }
    if (status == 0) return descriptor;
    close(descriptor);
    return status;
}

static int connect_host(const char *host, uint16_t port, int timeout_ms) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(host, service, &hints, &found) != 0) return -EHOSTUNREACH;
    int status = -EHOSTUNREACH;
    for (struct addrinfo *address = found; address && status < 0; address = address->ai_next) {
        status = connect_address(address, timeout_ms);
    }
    freeaddrinfo(found);
    return status;
}

static int start_tls(struct cr_blocking *connection, const char *host, struct cr_trust *trust) {
    connection->tls = SSL_new((SSL_CTX *)trust);
    if (!connection->tls) return -ENOMEM;
    SSL_set_mode(connection->tls, SSL_MODE_AUTO_RETRY);
    if (SSL_set_fd(connection->tls, connection->descriptor) != 1) return -ENOMEM;
    /* An address is checked as one; set1_host of OpenSSL 3 tells them apart. */
    if (SSL_set1_host(connection->tls, host) != 1) return -ENOMEM;
    SSL_set_tlsext_host_name(connection->tls, host);
    int outcome = SSL_connect(connection->tls);
    ERR_clear_error();
    return outcome == 1 ? 0 : -EPROTO;
}

int cr_blocking_open(
    const char *host, uint16_t port, struct cr_trust *trust, int timeout_ms, struct cr_blocking **result) {
    int descriptor = connect_host(host, port, timeout_ms);
    if (descriptor < 0) return descriptor;
    struct cr_blocking *connection = calloc(1, sizeof *connection);
    if (!connection) {
        close(descriptor);
        return -ENOMEM;
    }
    connection->descriptor = descriptor;
    int status = trust ? start_tls(connection, host, trust) : 0;
    if (status < 0) {
        cr_blocking_close(connection);
        return status;
    }
    *result = connection;
    return 0;
}

int cr_blocking_open_unix(const char *path, int timeout_ms, struct cr_blocking **result) {
    int descriptor = cr_connect_unix(path);
    if (descriptor < 0) return descriptor;
    int status = fcntl(descriptor, F_SETFL, 0) < 0 ? -errno : set_timeouts(descriptor, timeout_ms);
    struct cr_blocking *connection = status == 0 ? calloc(1, sizeof *connection) : NULL;
    if (!connection) {
        close(descriptor);
        return status < 0 ? status : -ENOMEM;
    }
    connection->descriptor = descriptor;
    *result = connection;
    return 0;
}

static int socket_error(int error) { return error == EAGAIN || error == EWOULDBLOCK ? -ETIMEDOUT : -error; }

static int tls_error(struct cr_blocking *connection, int outcome) {
    int saved = errno, reason = SSL_get_error(connection->tls, outcome);
    ERR_clear_error();
    if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) return -ETIMEDOUT;
    if (reason == SSL_ERROR_SYSCALL && saved != 0) return socket_error(saved);
    return -EPROTO;
}

int cr_blocking_write(struct cr_blocking *connection, const void *bytes, size_t count) {
    const char *at = bytes;
    while (count > 0) {
        size_t part = count < (1 << 20) ? count : 1 << 20;
        ssize_t n;
        if (connection->tls) {
            n = SSL_write(connection->tls, at, (int)part);
            if (n <= 0) return tls_error(connection, (int)n);
        } else {
            n = send(connection->descriptor, at, part, MSG_NOSIGNAL);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return socket_error(errno);
        }
        at += n;
        count -= (size_t)n;
    }
    return 0;
}

ssize_t cr_blocking_read(struct cr_blocking *connection, void *into, size_t capacity) {
    if (!connection->tls) {
        ssize_t n;
        do n = recv(connection->descriptor, into, capacity, 0);
        while (n < 0 && errno == EINTR);
        return n < 0 ? socket_error(errno) : n;
    }
    int n = SSL_read(connection->tls, into, capacity < (1 << 20) ? (int)capacity : 1 << 20);
    if (n > 0) return n;
    if (SSL_get_error(connection->tls, n) == SSL_ERROR_ZERO_RETURN) return 0;
    return tls_error(connection, n);
}

void cr_blocking_close(struct cr_blocking *connection) {
    if (connection->tls) {
        SSL_shutdown(connection->tls);
        SSL_free(connection->tls);
        ERR_clear_error();
    }
    close(connection->descriptor);
    free(connection);
}

void cr_thread_pause(int64_t ns) {
    struct timespec left = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR) {
    }
}
