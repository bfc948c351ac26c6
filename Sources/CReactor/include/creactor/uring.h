/* io_uring: one ring a reactor, and one ring of buffers that the kernel receives into. Needs Linux 6.1 (multishot
 * receive, SINGLE_ISSUER, DEFER_TASKRUN); `cr_uring_check` tells whether this kernel does what is relied on here.
 * A ring belongs to the thread that enters it first. What is queued leaves with the next enter, or when the queue is full.
 * Limits: CR_URING_QUEUE requests a submission, CR_URING_EVENTS unread events before the kernel keeps them itself. */
#ifndef CREACTOR_URING_H
#define CREACTOR_URING_H

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>

#include "creactor/epoll.h"
#include "creactor/socket.h"

enum { CR_URING_QUEUE = 1024, CR_URING_EVENTS = 8192, CR_URING_GROUP = 1 };

struct cr_uring {
    struct io_uring ring;
    struct io_uring_buf_ring *buffer_ring;
    char *buffers;
    uint32_t buffer_count, buffer_bytes;
    pthread_t thread;
    int enabled;
};

/* What became of one request. `token` is the request's; 0 is nobody's. */
struct cr_uring_event {
    uint64_t token;
    int32_t result;
    uint32_t flags;
};

/* Creates a ring with `buffer_count` (a power of two, 32768 at most) buffers of `buffer_bytes`. 0 or -errno. */
int cr_uring_create(struct cr_uring **uring, uint32_t buffer_count, uint32_t buffer_bytes);
void cr_uring_destroy(struct cr_uring *uring);

/* Tries everything that is relied on, with rings and sockets of its own. 0, or -errno where the kernel refuses. */
int cr_uring_check(uint32_t buffer_count, uint32_t buffer_bytes);

/* Hands over what is queued and waits for an event: timeout_ns < 0 for ever, 0 not at all. 0 or -errno. */
int cr_uring_enter(struct cr_uring *uring, int64_t timeout_ns);

/* Hands over what is queued. 0 or -errno. */
int cr_uring_submit(struct cr_uring *uring);

/* Whether the calling thread is the ring's. Nobody's yet: 0. */
static inline int cr_uring_is_mine(const struct cr_uring *uring) {
    return uring->enabled && pthread_equal(uring->thread, pthread_self());
}

/* Requests queued that the kernel has not taken. */
static inline uint32_t cr_uring_queued(const struct cr_uring *uring) { return io_uring_sq_ready(&uring->ring); }

/* --- requests; each may submit those before it, and aborts where the kernel takes none --- */

struct io_uring_sqe *cr_uring_next_full_(struct cr_uring *uring);

static inline struct io_uring_sqe *cr_uring_next_(struct cr_uring *uring) {
    struct io_uring_sqe *request = io_uring_get_sqe(&uring->ring);
    return request ? request : cr_uring_next_full_(uring);
}

/* Accepts until cancelled: an event a connection, whose result is its descriptor (non-blocking, close-on-exec). */
static inline void cr_uring_accept(struct cr_uring *uring, int fd, uint64_t token) {
    struct io_uring_sqe *request = cr_uring_next_(uring);
    io_uring_prep_multishot_accept(request, fd, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
    io_uring_sqe_set_data64(request, token);
}

/* Receives into the ring's buffers: once, or until cancelled, ended, failed or out of buffers. */
static inline void cr_uring_receive(struct cr_uring *uring, int fd, int is_once, uint64_t token) {
    struct io_uring_sqe *request = cr_uring_next_(uring);
    io_uring_prep_recv(request, fd, 0, 0, 0);
    if (!is_once) request->ioprio |= IORING_RECV_MULTISHOT;
    request->flags |= IOSQE_BUFFER_SELECT;
    request->buf_group = CR_URING_GROUP;
    io_uring_sqe_set_data64(request, token);
}

/* Sends what the socket takes at once: tried when it is handed over and never later, so the bytes are free after that.
 * Only an outcome other than all of `count` makes an event: fewer bytes, or -errno (-EAGAIN: none). */
static inline void cr_uring_send(struct cr_uring *uring, int fd, const void *bytes, uint32_t count, uint64_t token) {
    struct io_uring_sqe *request = cr_uring_next_(uring);
    io_uring_prep_send(request, fd, bytes, count, MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL);
    request->flags |= IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(request, token);
}

/* Tells once that a descriptor is ready; `interest` is a mask of CR_READABLE, CR_WRITABLE. CR_HANGUP is always told. */
static inline void cr_uring_poll(struct cr_uring *uring, int fd, uint32_t interest, uint64_t token) {
    struct io_uring_sqe *request = cr_uring_next_(uring);
    unsigned mask = 0;
    if (interest & CR_READABLE) mask |= POLLIN;
    if (interest & CR_WRITABLE) mask |= POLLOUT;
    io_uring_prep_poll_add(request, fd, mask);
    io_uring_sqe_set_data64(request, token);
}

/* Readiness out of a poll's result, which is not negative. */
static inline uint32_t cr_uring_polled(int32_t result) {
    uint32_t ready = 0;
    if (result & POLLIN) ready |= CR_READABLE;
    if (result & POLLOUT) ready |= CR_WRITABLE;
    if (result & (POLLERR | POLLHUP | POLLNVAL)) ready |= CR_HANGUP;
    return ready;
}

/* Ends the request that has this token: its last event follows, -ECANCELED if it has nothing better to tell. */
static inline void cr_uring_cancel(struct cr_uring *uring, uint64_t token) {
    struct io_uring_sqe *request = cr_uring_next_(uring);
    io_uring_prep_cancel64(request, token, 0);
    request->flags |= IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(request, 0);
}

/* Closes a descriptor, after all requests queued before. */
static inline void cr_uring_close(struct cr_uring *uring, int fd) {
    struct io_uring_sqe *request = cr_uring_next_(uring);
    io_uring_prep_close(request, fd);
    request->flags |= IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(request, 0);
}

/* --- events --- */

/* Events that may be read. */
static inline uint32_t cr_uring_ready(const struct cr_uring *uring) { return io_uring_cq_ready(&uring->ring); }

/* Whether the kernel keeps events that did not fit; the next enter brings them. */
static inline int cr_uring_overflows(const struct cr_uring *uring) { return io_uring_cq_has_overflow(&uring->ring); }

/* The event `index` behind the first unread one. */
static inline struct cr_uring_event cr_uring_event_at(const struct cr_uring *uring, uint32_t index) {
    const struct io_uring_cq *queue = &uring->ring.cq;
    const struct io_uring_cqe *event = &queue->cqes[(*queue->khead + index) & queue->ring_mask];
    return (struct cr_uring_event){event->user_data, event->res, event->flags};
}

/* Gives the first unread event's place back. */
static inline void cr_uring_consume(struct cr_uring *uring) { io_uring_cq_advance(&uring->ring, 1); }

/* Whether the request goes on and more events follow. */
static inline int cr_uring_goes_on(struct cr_uring_event event) { return (event.flags & IORING_CQE_F_MORE) != 0; }

/* The buffer that an event came with; -1: none. */
static inline int32_t cr_uring_buffer_of(struct cr_uring_event event) {
    return event.flags & IORING_CQE_F_BUFFER ? (int32_t)(event.flags >> IORING_CQE_BUFFER_SHIFT) : -1;
}

static inline const void *cr_uring_buffer(const struct cr_uring *uring, int32_t index) {
    return uring->buffers + (size_t)index * uring->buffer_bytes;
}

/* Lets the kernel have a buffer again. */
static inline void cr_uring_give_back(struct cr_uring *uring, int32_t index) {
    io_uring_buf_ring_add(uring->buffer_ring, uring->buffers + (size_t)index * uring->buffer_bytes, uring->buffer_bytes,
                          (unsigned short)index, io_uring_buf_ring_mask(uring->buffer_count), 0);
    io_uring_buf_ring_advance(uring->buffer_ring, 1);
}

#endif
