/* The parts of io_uring that run once a turn or less: rings, entering, and the check of what the kernel can. */
#include "creactor.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SUBMIT_TRIES_MAX = 1000 };

static void *map(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static size_t buffer_ring_bytes(const struct cr_uring *uring) {
    return (size_t)uring->buffer_count * sizeof(struct io_uring_buf);
}

static int add_buffers(struct cr_uring *uring) {
    uring->buffer_ring = map(buffer_ring_bytes(uring));
    uring->buffers = map((size_t)uring->buffer_count * uring->buffer_bytes);
    if (!uring->buffer_ring || !uring->buffers) return -ENOMEM;
    struct io_uring_buf_reg registration = {
        .ring_addr = (uint64_t)(uintptr_t)uring->buffer_ring,
        .ring_entries = uring->buffer_count,
        .bgid = CR_URING_GROUP,
    };
    int status = io_uring_register_buf_ring(&uring->ring, &registration, 0);
    if (status < 0) return status;
    io_uring_buf_ring_init(uring->buffer_ring);
    for (uint32_t i = 0; i < uring->buffer_count; i++) cr_uring_give_back(uring, (int32_t)i);
    return 0;
}

int cr_uring_create(struct cr_uring **created, uint32_t buffer_count, uint32_t buffer_bytes) {
    struct cr_uring *uring = calloc(1, sizeof *uring);
    if (!uring) return -ENOMEM;
    uring->buffer_count = buffer_count;
    uring->buffer_bytes = buffer_bytes;
    struct io_uring_params parameters = {
        /* Disabled until its thread enters it: whoever enables the ring is its one issuer. */
        .flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
        .cq_entries = CR_URING_EVENTS,
    };
    int status = io_uring_queue_init_params(CR_URING_QUEUE, &uring->ring, &parameters);
    if (status < 0) {
        free(uring);
        return status;
    }
    const unsigned needed = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP | IORING_FEAT_FAST_POLL;
    status = (parameters.features & needed) == needed ? add_buffers(uring) : -EOPNOTSUPP;
    if (status < 0) {
        cr_uring_destroy(uring);
        return status;
    }
    *created = uring;
    return 0;
}

void cr_uring_destroy(struct cr_uring *uring) {
    io_uring_queue_exit(&uring->ring);
    if (uring->buffer_ring) munmap(uring->buffer_ring, buffer_ring_bytes(uring));
    if (uring->buffers) munmap(uring->buffers, (size_t)uring->buffer_count * uring->buffer_bytes);
    free(uring);
}

static int enable(struct cr_uring *uring) {
    if (uring->enabled) return 0;
    /* Debian 12's liburing declares io_uring_enable_rings and does not export it. */
    int status = io_uring_register((unsigned)uring->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    if (status < 0) return status;
    uring->thread = pthread_self();
    uring->enabled = 1;
    return 0;
}

/* What passes by itself: an interruption, the end of the time, events or memory that the kernel has no room for now. */
static int forgive(int status) {
    switch (status) {
    case -EINTR:
    case -ETIME:
    case -EBUSY:
    case -EAGAIN: return 0;
    default: return status < 0 ? status : 0;
    }
}

int cr_uring_submit(struct cr_uring *uring) {
    int status = enable(uring);
    return status < 0 ? status : forgive(io_uring_submit(&uring->ring));
}

int cr_uring_enter(struct cr_uring *uring, int64_t timeout_ns) {
    int status = enable(uring);
    if (status < 0) return status;
    if (timeout_ns == 0) return forgive(io_uring_submit_and_get_events(&uring->ring));
    struct io_uring_cqe *first;
    struct __kernel_timespec timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    return forgive(io_uring_submit_and_wait_timeout(&uring->ring, &first, 1, timeout_ns < 0 ? NULL : &timeout, NULL));
}

struct io_uring_sqe *cr_uring_next_full_(struct cr_uring *uring) {
    for (int i = 0; i < SUBMIT_TRIES_MAX; i++) {
        if (cr_uring_submit(uring) < 0) break;
        struct io_uring_sqe *request = io_uring_get_sqe(&uring->ring);
        if (request) return request;
        sched_yield();
    }
    abort(); /* another thread's ring, or a kernel without memory: nothing can be asked of it any more */
}

/* --- the check --- */

static int check_receive(struct cr_uring *uring, int ours, int peer) {
    cr_uring_receive(uring, ours, 0, 1);
    if (send(peer, "x", 1, MSG_NOSIGNAL) != 1) return -EIO;
    int status = cr_uring_enter(uring, 1000000000);
    if (status < 0) return status;
    if (cr_uring_ready(uring) != 1) return -EOPNOTSUPP;
    struct cr_uring_event event = cr_uring_event_at(uring, 0);
    cr_uring_consume(uring);
    int32_t buffer = cr_uring_buffer_of(event);
    if (event.result < 0) return event.result;
    if (event.token != 1 || event.result != 1 || buffer < 0 || !cr_uring_goes_on(event)) return -EOPNOTSUPP;
    cr_uring_give_back(uring, buffer);
    return 0;
}

/* A send that is taken whole makes no event; one that is not tells how much was taken, and does not wait. */
static int check_send(struct cr_uring *uring, int ours) {
    static const char bytes[1 << 20];
    cr_uring_send(uring, ours, bytes, 1, 2);
    int status = cr_uring_enter(uring, 0);
    if (status < 0) return status;
    if (cr_uring_queued(uring) != 0 || cr_uring_ready(uring) != 0) return -EOPNOTSUPP;
    cr_uring_send(uring, ours, bytes, sizeof bytes, 3);
    status = cr_uring_enter(uring, 0);
    if (status < 0) return status;
    if (cr_uring_ready(uring) != 1) return -EOPNOTSUPP;
    struct cr_uring_event event = cr_uring_event_at(uring, 0);
    cr_uring_consume(uring);
    int is_partial = event.token == 3 && event.result > 0 && event.result < (int32_t)sizeof bytes;
    return is_partial ? 0 : -EOPNOTSUPP;
}

int cr_uring_check(uint32_t buffer_count, uint32_t buffer_bytes) {
    int pair[2], small = 4096;
    struct cr_uring *uring;
    int status = cr_uring_create(&uring, buffer_count, buffer_bytes);
    if (status < 0) return status;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
        status = -errno;
    } else {
        setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        status = check_receive(uring, pair[0], pair[1]);
        if (status == 0) status = check_send(uring, pair[0]);
        close(pair[0]);
        close(pair[1]);
    }
    cr_uring_destroy(uring);
    return status;
}
