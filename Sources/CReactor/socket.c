/* Socket calls that run once a connection, not once a request. */
#include "creactor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int parse_host(const char *host, uint16_t port, struct sockaddr_storage *storage, socklen_t *size) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)storage;
    memset(storage, 0, sizeof *storage);
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *size = sizeof *v4;
        return 0;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        *size = sizeof *v6;
        return 0;
    }
    return -EINVAL;
}

static int fail_closed(int fd) {
    int error = errno;
    close(fd);
    return -error;
}

int cr_listen_tcp(const char *host, uint16_t port, int backlog, int reuse_port) {
    struct sockaddr_storage storage;
    socklen_t size;
    int status = parse_host(host, port, &storage, &size);
    if (status < 0) return status;
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int on = 1, off = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) return fail_closed(fd);
    if (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0) return fail_closed(fd);
    if (storage.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, (struct sockaddr *)&storage, size) < 0) return fail_closed(fd);
    if (listen(fd, backlog) < 0) return fail_closed(fd);
    return fd;
}

uint16_t cr_bound_port(int fd) {
    struct sockaddr_storage storage;
    socklen_t size = sizeof storage;
    if (getsockname(fd, (struct sockaddr *)&storage, &size) < 0) return 0;
    if (storage.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&storage)->sin_port);
    if (storage.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&storage)->sin6_port);
    return 0;
}

static int unix_address(const char *path, struct sockaddr_un *address) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address->sun_path) return -ENAMETOOLONG;
    strcpy(address->sun_path, path);
    return 0;
}

/* Removes a socket file that nobody listens on. */
static int clear_socket_file(const char *path) {
    struct stat info;
    if (lstat(path, &info) < 0 || !S_ISSOCK(info.st_mode)) return 0;
    int probe = cr_connect_unix(path);
    if (probe == -ECONNREFUSED) return unlink(path) < 0 ? -errno : 0;
    if (probe < 0 && probe != -EAGAIN) return probe;
    if (probe >= 0) close(probe);
    return -EADDRINUSE;
}

int cr_listen_unix(const char *path, int backlog, unsigned mode) {
    struct sockaddr_un address;
    int status = unix_address(path, &address);
    if (status == 0) status = clear_socket_file(path);
    if (status < 0) return status;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    /* The file is made with the socket's mode less the umask: never open to more than it shall be, and to all of them then. */
    if (fchmod(fd, mode) < 0) return fail_closed(fd);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) return fail_closed(fd);
    if (chmod(path, mode) < 0 || listen(fd, backlog) < 0) {
        status = fail_closed(fd);
        unlink(path);
        return status;
    }
    return fd;
}

static uint64_t load_network_order(const uint8_t *bytes) {
    uint64_t word = 0;
    for (int i = 0; i < 8; i++) word = word << 8 | bytes[i];
    return word;
}

static void store_network_order(uint64_t word, uint8_t *bytes) {
    for (int i = 7; i >= 0; i--, word >>= 8) bytes[i] = (uint8_t)word;
}

static void set_v4(struct cr_address *address, const struct in_addr *v4) {
    address->high = 0;
    address->low = 0xffff00000000u | ntohl(v4->s_addr);
}

static void set_v6(struct cr_address *address, const struct in6_addr *v6) {
    address->high = load_network_order(v6->s6_addr);
    address->low = load_network_order(v6->s6_addr + 8);
}

static void introduce(int fd, const struct sockaddr_storage *storage, struct cr_address *peer) {
    memset(peer, 0, sizeof *peer);
    if (storage->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)storage;
        set_v4(peer, &v4->sin_addr);
        peer->port = ntohs(v4->sin_port);
    } else if (storage->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)storage;
        set_v6(peer, &v6->sin6_addr);
        peer->port = ntohs(v6->sin6_port);
    } else {
        peer->is_unix = 1;
        return;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int cr_accept(int listener, struct cr_address *peer) {
    struct sockaddr_storage storage;
    socklen_t size = sizeof storage;
    int fd = accept4(listener, (struct sockaddr *)&storage, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return -errno;
    introduce(fd, &storage, peer);
    return fd;
}

int cr_accepted(int fd, struct cr_address *peer) {
    struct sockaddr_storage storage;
    socklen_t size = sizeof storage;
    if (getpeername(fd, (struct sockaddr *)&storage, &size) < 0) return -errno;
    introduce(fd, &storage, peer);
    return 0;
}

static int connect_socket(int fd, const struct sockaddr *address, socklen_t size) {
    if (connect(fd, address, size) == 0 || errno == EINPROGRESS || errno == EAGAIN) return fd;
    return fail_closed(fd);
}

int cr_connect_tcp(const char *host, uint16_t port) { return cr_connect_tcp_from(NULL, host, port); }

int cr_connect_tcp_from(const char *local, const char *host, uint16_t port) {
    struct sockaddr_storage storage, from;
    socklen_t size, from_size = 0;
    int status = parse_host(host, port, &storage, &size);
    if (status == 0 && local) status = parse_host(local, 0, &from, &from_size);
    if (status < 0) return status;
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (local) {
        /* The kernel chooses the port at connect, when it knows the whole pair. */
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(fd, (struct sockaddr *)&from, from_size) < 0) return fail_closed(fd);
    }
    return connect_socket(fd, (struct sockaddr *)&storage, size);
}

int cr_connect_unix(const char *path) {
    struct sockaddr_un address;
    int status = unix_address(path, &address);
    if (status < 0) return status;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) return fail_closed(fd);
    return fd;
}

int cr_socket_error(int fd) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) return errno;
    return error;
}

int cr_resolve_one(const char *host, unsigned attempt, char *numeric, size_t size) {
    struct addrinfo hints = {0}, *found;
    hints.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(host, NULL, &hints, &found) != 0) return -EHOSTUNREACH;
    unsigned count = 0;
    for (struct addrinfo *at = found; at; at = at->ai_next) count++;
    struct addrinfo *chosen = found;
    for (unsigned i = attempt % count; i > 0; i--) chosen = chosen->ai_next;
    int status = getnameinfo(chosen->ai_addr, chosen->ai_addrlen, numeric, (socklen_t)size, NULL, 0, NI_NUMERICHOST);
    freeaddrinfo(found);
    return status == 0 ? 0 : -EHOSTUNREACH;
}

int cr_resolve(const char *host, char *numeric, size_t size) { return cr_resolve_one(host, 0, numeric, size); }

int cr_resolve_all(const char *host, char *numeric, unsigned max) {
    struct addrinfo hints = {0}, *found;
    hints.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(host, NULL, &hints, &found) != 0) return -EHOSTUNREACH;
    unsigned count = 0;
    for (struct addrinfo *at = found; at && count < max; at = at->ai_next)
        if (getnameinfo(at->ai_addr, at->ai_addrlen, numeric + count * CR_ADDRESS_TEXT_MAX, CR_ADDRESS_TEXT_MAX, NULL, 0, NI_NUMERICHOST) == 0)
            count++;
    freeaddrinfo(found);
    return (int)count;
}

int cr_peer_alive(int fd) {
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n > 0) return 1;
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

void cr_close(int fd) { close(fd); }

int cr_address_text(const struct cr_address *address, char *text, size_t size) {
    if (address->is_unix) return snprintf(text, size, "unix");
    if (address->high == 0 && address->low >> 32 == 0xffff) {
        struct in_addr v4 = {htonl((uint32_t)address->low)};
        return inet_ntop(AF_INET, &v4, text, (socklen_t)size) ? (int)strlen(text) : -errno;
    }
    struct in6_addr v6;
    store_network_order(address->high, v6.s6_addr);
    store_network_order(address->low, v6.s6_addr + 8);
    return inet_ntop(AF_INET6, &v6, text, (socklen_t)size) ? (int)strlen(text) : -errno;
}

int cr_address_parse(const char *text, struct cr_address *address) {
    struct in_addr v4;
    struct in6_addr v6;
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, text, &v4) == 1) {
        set_v4(address, &v4);
        return 0;
    }
    if (inet_pton(AF_INET6, text, &v6) == 1) {
        set_v6(address, &v6);
        return 0;
    }
    return -EINVAL;
}
