/* epoll, level-triggered; the 64-bit token carries slot and generation so that a stale event is recognised. */
#ifndef CREACTOR_EPOLL_H
#define CREACTOR_EPOLL_H

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <time.h>

#define CR_READABLE 1u
#define CR_WRITABLE 2u
#define CR_HANGUP 4u /* error or hang-up: reported whether asked for or not */

/* What arrived for one descriptor: `ready` is a mask of CR_READABLE, CR_WRITABLE, CR_HANGUP. */
struct cr_epoll_event {
    struct epoll_event raw;
};
_Static_assert(sizeof(struct cr_epoll_event) == sizeof(struct epoll_event), "an array of ours is an array of theirs");

static inline int cr_epoll_create(void) {
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static inline int cr_epoll_control_(int epoll, int operation, int fd, uint32_t interest, uint64_t token) {
    struct epoll_event event;
    event.events = 0;
    if (interest & CR_READABLE) event.events |= EPOLLIN;
    if (interest & CR_WRITABLE) event.events |= EPOLLOUT;
    event.data.u64 = token;
    return epoll_ctl(epoll, operation, fd, &event) < 0 ? -errno : 0;
}

static inline int cr_epoll_add(int epoll, int fd, uint32_t interest, uint64_t token) {
    return cr_epoll_control_(epoll, EPOLL_CTL_ADD, fd, interest, token);
}

static inline int cr_epoll_change(int epoll, int fd, uint32_t interest, uint64_t token) {
    return cr_epoll_control_(epoll, EPOLL_CTL_MOD, fd, interest, token);
}

static inline int cr_epoll_remove(int epoll, int fd) {
    return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, 0) < 0 ? -errno : 0;
}

/* Waits for up to `count` events; timeout_ns < 0 waits for ever. An interrupted wait returns 0. */
static inline int cr_epoll_wait(int epoll, struct cr_epoll_event *events, int count, int64_t timeout_ns) {
    int n;
    if (timeout_ns < 0) {
        n = epoll_wait(epoll, &events->raw, count, -1);
    } else if (timeout_ns == 0) {
        n = epoll_wait(epoll, &events->raw, count, 0);
    } else {
        struct timespec timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000};
        n = epoll_pwait2(epoll, &events->raw, count, &timeout, 0);
        if (n < 0 && errno == ENOSYS) /* before Linux 5.11 */
            n = epoll_wait(epoll, &events->raw, count, (int)((timeout_ns + 999999) / 1000000));
    }
    if (n < 0) return errno == EINTR ? 0 : -errno;
    return n;
}

static inline uint64_t cr_epoll_token(const struct cr_epoll_event *event) { return event->raw.data.u64; }

static inline uint32_t cr_epoll_ready(const struct cr_epoll_event *event) {
    uint32_t ready = 0;
    if (event->raw.events & EPOLLIN) ready |= CR_READABLE;
    if (event->raw.events & EPOLLOUT) ready |= CR_WRITABLE;
    if (event->raw.events & (EPOLLERR | EPOLLHUP)) ready |= CR_HANGUP;
    return ready;
}

#endif
