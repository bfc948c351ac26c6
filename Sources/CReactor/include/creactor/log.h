/* What the log needs of the system: threads, signal masks, and writing all of a line. */
#ifndef CREACTOR_LOG_H
#define CREACTOR_LOG_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* Writes all bytes, waiting where the descriptor would block. Returns 0 or -errno. Needs SIGPIPE ignored. */
static inline int cr_write_all(int descriptor, const void *bytes, size_t count) {
    const char *at = (const char *)bytes;
    while (count > 0) {
        ssize_t written = write(descriptor, at, count);
        if (written < 0) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN) return -errno;
            struct pollfd wanted = {.fd = descriptor, .events = POLLOUT, .revents = 0};
            if (poll(&wanted, 1, -1) < 0 && errno != EINTR) return -errno;
            continue;
        }
        at += written;
        count -= (size_t)written;
    }
    return 0;
}

#endif
