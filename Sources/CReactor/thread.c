#include "creactor.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>

int cr_thread_start(pthread_t *thread, const char *name, int cpu, void *(*body)(void *), void *context) {
    int status = pthread_create(thread, NULL, body, context);
    if (status != 0) return -status;
    pthread_setname_np(*thread, name);
    if (cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        pthread_setaffinity_np(*thread, sizeof set, &set);
    }
    return 0;
}

int cr_wait_readable(int fd, int timeout_ms) {
    struct pollfd wanted = {fd, POLLIN, 0};
    int count;
    do {
        count = poll(&wanted, 1, timeout_ms);
    } while (count < 0 && errno == EINTR);
    return count > 0;
}

void cr_signals_wanted(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR2);
}

int cr_signals_block(void) {
    sigset_t set;
    cr_signals_wanted(&set);
    signal(SIGPIPE, SIG_IGN);
    return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int cr_signals_wait(void) {
    sigset_t set;
    int number;
    cr_signals_wanted(&set);
    while (sigwait(&set, &number) != 0) {
    }
    return number;
}

int cr_signal_self(int number) { return kill(getpid(), number) < 0 ? -errno : 0; }

int cr_processor_count(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (int)count;
}
