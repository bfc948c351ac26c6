/* Threads, wake-ups between them, and signals taken on a thread of their own. */
#ifndef CREACTOR_THREAD_H
#define CREACTOR_THREAD_H

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Starts a thread that runs `body(context)`. `cpu` >= 0 pins it there (a refusal is ignored: it is only a hint). */
int cr_thread_start(pthread_t *thread, const char *name, int cpu, void *(*body)(void *), void *context);

static inline int cr_eventfd_create(void) {
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Wakes whoever polls the eventfd; a full counter means a wake-up is already pending. */
static inline void cr_eventfd_signal(int fd) {
    uint64_t one = 1;
    ssize_t ignored = write(fd, &one, sizeof one);
    (void)ignored;
}

static inline void cr_eventfd_drain(int fd) {
    uint64_t count;
    ssize_t ignored = read(fd, &count, sizeof count);
    (void)ignored;
}

/* Has the calling thread's waits end when they are due: by default the kernel may add 50 us to each. */
static inline void cr_thread_wait_exactly(void) { prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul); }

/* Waits until `fd` is readable: 1, or 0 after timeout_ms (< 0: for ever). For threads that may block. */
int cr_wait_readable(int fd, int timeout_ms);

/* The signals that a thread of their own takes. */
void cr_signals_wanted(sigset_t *set);

/* Blocks SIGTERM, SIGINT, SIGHUP and SIGUSR2 in the calling thread and those it starts; SIGPIPE is ignored. Call it first. */
int cr_signals_block(void);

/* Waits for one of the signals blocked above and returns its number. */
int cr_signals_wait(void);

/* Sends a signal to this process, as an operator would. */
int cr_signal_self(int signal);

/* Online processors, at least 1. */
int cr_processor_count(void);

#endif
