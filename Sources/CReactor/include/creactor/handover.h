/* Listening sockets that a process is born with (sd_listen_fds(3)) or leaves to its successor, and words to the service
 * manager (sd_notify(3)). All of it before the threads exist or on a thread that may block. */
#ifndef CREACTOR_HANDOVER_H
#define CREACTOR_HANDOVER_H

#include <stddef.h>
#include <stdint.h>

/* The first of the descriptors that a process is born with; the others follow it. */
enum { CR_INHERITED_FIRST = 3, CR_INHERITED_MAX = 1024, CR_NOTIFY_SECONDS_MAX = 5 };

/* How many descriptors were passed to this very process; their names, separated by colons, are written to `names`. Takes
 * the variables out of the environment, so that no child takes them for its own. */
int cr_inherited_take(char *names, size_t size);

/* Makes an inherited descriptor close-on-exec and, if it is a listening stream socket, non-blocking: 1 if it is one, else 0
 * or -errno. */
int cr_inherited_adopt(int fd);

/* What a listening socket is bound to: CR_BOUND_TCP with a numeric host and a port, CR_BOUND_UNIX with a path (empty for an
 * abstract name), or -errno. */
enum { CR_BOUND_TCP = 1, CR_BOUND_UNIX = 2 };
int cr_bound_name(int fd, char *text, size_t size, uint16_t *port);

/* The path of this program's file. 0 or -errno. */
int cr_executable_path(char *path, size_t size);

/* Starts `path` with the descriptors from CR_INHERITED_FIRST on, named by `names`, stdin to stderr, and no other. Returns the
 * process's id or -errno; a program that cannot be run ends with 127. */
int cr_spawn_inheriting(const char *path, char *const arguments[], const int *fds, int count, const char *names);

/* Waits for the end of a child of ours. */
void cr_child_reap(int pid);

/* Sends a signal to a child of ours that has not been reaped. */
void cr_child_signal(int pid, int signal);

/* A pipe, close-on-exec: ends[0] is read. 0 or -errno. */
int cr_pipe(int ends[2]);

/* Writes one byte: 0 or -errno. Reads one, waiting up to timeout_ms: 1, 0 where the other end has closed, or -ETIMEDOUT. */
int cr_pipe_tell(int fd);
int cr_pipe_hear(int fd, int timeout_ms);

/* Sends `text` to NOTIFY_SOCKET, waiting no longer than CR_NOTIFY_SECONDS_MAX: 1, 0 where nobody wants to know, or -errno. */
int cr_notify(const char *text);

/* Whether a path names a socket, and which: its device and number. 1 or 0. */
int cr_socket_file(const char *path, uint64_t *device, uint64_t *number);

#endif
