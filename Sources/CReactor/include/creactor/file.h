/* Whole small files, read at once: configuration and secrets. Not for request paths. */
#ifndef CREACTOR_FILE_H
#define CREACTOR_FILE_H

#include <errno.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

/* The system's words for an errno value; a constant, safe from any thread. */
const char *cr_error_text(int code);

/* Reads at most `capacity` bytes of the file into `into`. Returns how many, or -errno. */
static inline ssize_t cr_file_read(const char *path, void *into, size_t capacity) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (descriptor < 0) return -errno;
    size_t held = 0;
    ssize_t outcome = 1;
    while (held < capacity && outcome > 0) {
        outcome = read(descriptor, (char *)into + held, capacity - held);
        if (outcome < 0 && errno == EINTR) { outcome = 1; continue; }
        if (outcome < 0) { outcome = -errno; break; }
        held += (size_t)outcome;
    }
    close(descriptor);
    return outcome < 0 ? outcome : (ssize_t)held;
}

/* 0 where the file can be opened for reading and is no folder, else -errno. Does not wait for a FIFO's writer. */
static inline int cr_file_check(const char *path) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (descriptor < 0) return -errno;
    char probe;
    int outcome = read(descriptor, &probe, 1) < 0 && errno == EISDIR ? -EISDIR : 0;
    close(descriptor);
    return outcome;
}

#endif
