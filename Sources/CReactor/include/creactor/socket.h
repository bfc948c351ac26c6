/* Sockets: always non-blocking and close-on-exec. An address is 16 bytes (IPv4 mapped into IPv6) and a port. */
#ifndef CREACTOR_SOCKET_H
#define CREACTOR_SOCKET_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* 16 bytes in network order as two words read in network order; all zero for a Unix socket's peer. */
struct cr_address {
    uint64_t high, low;
    uint16_t port;
    uint8_t is_unix;
};

/* Opens a listening TCP socket on a numeric IPv4 or IPv6 host. With `reuse_port` several sockets share the port.
 * Returns the descriptor or -errno. */
int cr_listen_tcp(const char *host, uint16_t port, int backlog, int reuse_port);

/* The port a TCP socket is bound to; 0 where there is none. */
uint16_t cr_bound_port(int fd);

/* Opens a listening Unix socket whose file has `mode`, in place of one that nobody listens on. -EADDRINUSE: somebody does. */
int cr_listen_unix(const char *path, int backlog, unsigned mode);

/* Accepts one connection with TCP_NODELAY set. Returns the descriptor or -errno (-EAGAIN: none waits). */
int cr_accept(int listener, struct cr_address *peer);

/* Does the same for a connection that the kernel has accepted already (`fd`); -ENOTCONN: it is gone again. */
int cr_accepted(int fd, struct cr_address *peer);

/* Starts a connection to a numeric host; 0 <= descriptor, connected or in progress (then it becomes writable). */
int cr_connect_tcp(const char *host, uint16_t port);
int cr_connect_unix(const char *path);

/* The same from a numeric local address, so that one client may have more connections than one address has ports. */
int cr_connect_tcp_from(const char *local, const char *host, uint16_t port);

/* The pending error of a socket (0 when none), as a positive errno. */
int cr_socket_error(int fd);

/* Resolves `host` to a numeric address, blocking: never on a reactor thread once it serves. -EHOSTUNREACH if unknown. */
int cr_resolve(const char *host, char *numeric, size_t size);

/* The same for one of several addresses of a host, counted round: a client tries another at each attempt. */
int cr_resolve_one(const char *host, unsigned attempt, char *numeric, size_t size);

/* Writes up to `max` numeric addresses of a host, in the system's order, one every CR_ADDRESS_TEXT_MAX bytes; returns how
 * many, or -EHOSTUNREACH. Blocks. */
enum { CR_ADDRESS_TEXT_MAX = 64 };
int cr_resolve_all(const char *host, char *numeric, unsigned max);

/* Whether the peer of a connected stream is still there: 1 yes, 0 it has closed or failed. Consumes nothing. */
int cr_peer_alive(int fd);

/* Sends the end of the stream after what was sent; receiving goes on. */
static inline void cr_end_sending(int fd) { shutdown(fd, SHUT_WR); }

void cr_close(int fd);

/* Writes the text of an address ("10.0.0.1", "2001:db8::1", "unix"); returns its length. */
int cr_address_text(const struct cr_address *address, char *text, size_t size);

/* Parses a numeric IPv4 or IPv6 address; -EINVAL otherwise. */
int cr_address_parse(const char *text, struct cr_address *address);

static inline ssize_t cr_receive(int fd, void *buffer, size_t count) {
    ssize_t n = recv(fd, buffer, count, 0);
    return n < 0 ? -errno : n;
}

static inline ssize_t cr_send(int fd, const void *bytes, size_t count) {
    ssize_t n = send(fd, bytes, count, MSG_NOSIGNAL);
    return n < 0 ? -errno : n;
}

#endif
