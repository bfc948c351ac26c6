/* A blocking connection to a server, plain or TLS, with timeouts: for helper threads, never for a reactor's. */
#ifndef CREACTOR_BLOCKING_H
#define CREACTOR_BLOCKING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cr_blocking;

/* Certificate authorities to trust; NULL path: the system's. Returns NULL where they cannot be read. */
struct cr_trust;
struct cr_trust *cr_trust_create(const char *ca_file);
void cr_trust_free(struct cr_trust *trust);

/* Resolves the name, tries its addresses in turn, each for `timeout_ms`, which is also the bound of each later read and
 * write. With `trust` the connection is TLS 1.2 or later and the server must prove that it is `host`.
 * Returns 0 or -errno: -EHOSTUNREACH for an unknown name, -ETIMEDOUT, -EPROTO for what TLS refuses. */
int cr_blocking_open(
    const char *host, uint16_t port, struct cr_trust *trust, int timeout_ms, struct cr_blocking **connection);

/* The same over a Unix socket, plain. */
int cr_blocking_open_unix(const char *path, int timeout_ms, struct cr_blocking **connection);

/* Writes all bytes. Returns 0 or -errno. SIGPIPE must be blocked or ignored. */
int cr_blocking_write(struct cr_blocking *connection, const void *bytes, size_t count);

/* Reads what is there, waiting for at least one byte. Returns how many, 0 at the end, or -errno. */
ssize_t cr_blocking_read(struct cr_blocking *connection, void *into, size_t capacity);

void cr_blocking_close(struct cr_blocking *connection);

/* Has the calling thread wait so many nanoseconds. */
void cr_thread_pause(int64_t ns);

#endif
