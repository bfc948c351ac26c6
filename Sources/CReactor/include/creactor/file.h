/* Files. Whole small ones read at once (configuration, secrets), and what a store of large ones needs: temporary files
 * that nobody sweeps while they are open, durable renames. All of it blocks: never on a reactor's thread once it serves. */
#ifndef CREACTOR_FILE_H
#define CREACTOR_FILE_H

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
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

/* Makes the folder. Returns 1 if it was made, 0 if a folder is there already, or -errno. */
int cr_folder_make(const char *path);

/* Writes the folder's entries to the disk. Returns 0 or -errno. */
int cr_folder_sync(const char *path);

/* 0 where entries can be made in the folder, else -errno. */
int cr_folder_check(const char *path);

/* Bytes that a temporary file's name takes, its terminating zero included. */
#define CR_TEMPORARY_NAME_SIZE 37

/* Creates a file of a random name in `folder`, open for reading and writing and locked against cr_temporary_sweep
 * until the descriptor closes. Writes the name. Returns the descriptor or -errno. */
int cr_temporary_create(const char *folder, char name[CR_TEMPORARY_NAME_SIZE]);

/* Removes the temporary files of `folder` that no process holds open: those of crashed ones. Returns how many. */
int cr_temporary_sweep(const char *folder);

/* Writes the file's bytes and size to the disk. Returns 0 or -errno. */
int cr_file_sync(int descriptor);

/* Gives the file another name, atomically; both paths are of one file system. Returns 0, -EEXIST where `to` exists
 * already, or another -errno. */
int cr_file_publish(const char *from, const char *to);

/* The same, taking the name from a file that has it. Returns 0 or -errno. */
int cr_file_replace(const char *from, const char *to);

/* The size of a regular file, or -errno (-EINVAL for what is none). */
int64_t cr_file_size(const char *path);

/* Removes a name. Returns 0 or -errno. */
int cr_file_remove(const char *path);

/* Reads at most `capacity` bytes at `offset`. Returns how many (0 at the end), or -errno. */
static inline ssize_t cr_file_read_at(int descriptor, void *into, size_t capacity, int64_t offset) {
    ssize_t n;
    do n = pread(descriptor, into, capacity, offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

#endif
