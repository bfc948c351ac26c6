#include "creactor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <arpa/inet.h>
#include <unistd.h>

static long number_of(const char *name) {
    const char *text = getenv(name);
    if (!text || !*text) return -1;
    char *end;
    long number = strtol(text, &end, 10);
    return *end ? -1 : number;
}

int cr_inherited_take(char *names, size_t size) {
    long count = number_of("LISTEN_FDS"), pid = number_of("LISTEN_PID");
    const char *text = getenv("LISTEN_FDNAMES");
    snprintf(names, size, "%s", text ? text : "");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
    if (pid != getpid() || count < 0) return 0;
    return count > CR_INHERITED_MAX ? CR_INHERITED_MAX : (int)count;
}

int cr_inherited_adopt(int fd) {
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) return -errno;
    int type = 0, listens = 0;
    socklen_t size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0) return errno == ENOTSOCK ? 0 : -errno;
    size = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0) return -errno;
    if (type != SOCK_STREAM || !listens) return 0;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
    return 1;
}

int cr_bound_name(int fd, char *text, size_t size, uint16_t *port) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
        struct sockaddr_storage storage;
    } address;
    memset(&address, 0, sizeof address);
    socklen_t length = sizeof address;
    if (getsockname(fd, &address.any, &length) < 0) return -errno;
    *port = 0;
    switch (address.any.sa_family) {
    case AF_INET:
        *port = ntohs(address.v4.sin_port);
        return inet_ntop(AF_INET, &address.v4.sin_addr, text, (socklen_t)size) ? CR_BOUND_TCP : -errno;
    case AF_INET6:
        *port = ntohs(address.v6.sin6_port);
        return inet_ntop(AF_INET6, &address.v6.sin6_addr, text, (socklen_t)size) ? CR_BOUND_TCP : -errno;
    case AF_UNIX:
        snprintf(text, size, "%s", address.local.sun_path);
        return CR_BOUND_UNIX;
    default:
        return -EAFNOSUPPORT;
    }
}

int cr_executable_path(char *path, size_t size) {
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    if (length < 0) return -errno;
    path[length] = 0;
    return 0;
}

static int is_listen_variable(const char *variable) {
    return strncmp(variable, "LISTEN_PID=", 11) == 0 || strncmp(variable, "LISTEN_FDS=", 11) == 0
        || strncmp(variable, "LISTEN_FDNAMES=", 15) == 0;
}

/* In the child, where only system calls are safe: other threads may have held any lock when it was forked. */
static void become(
    const char *path, char *const arguments[], char **environment, char *pid_digits, int *fds, int count) {
    char digits[16];
    int used = 0;
    for (int pid = getpid(); pid > 0; pid /= 10) digits[used++] = (char)('0' + pid % 10);
    for (int i = 0; i < used; i++) pid_digits[i] = digits[used - 1 - i];
    pid_digits[used] = 0;
    /* Out of the way first: a descriptor may stand where another has to go. */
    for (int i = 0; i < count; i++)
        if ((fds[i] = fcntl(fds[i], F_DUPFD, CR_INHERITED_FIRST + count)) < 0) _exit(126);
    for (int i = 0; i < count; i++)
        if (dup2(fds[i], CR_INHERITED_FIRST + i) < 0) _exit(126);
    /* The thread that forked may have blocked more than a program expects. */
    sigset_t signals;
    cr_signals_wanted(&signals);
    sigprocmask(SIG_SETMASK, &signals, NULL);
    close_range((unsigned)(CR_INHERITED_FIRST + count), ~0u, 0);
    execve(path, arguments, environment);
    _exit(127);
}

int cr_spawn_inheriting(const char *path, char *const arguments[], const int *fds, int count, const char *names) {
    size_t variables = 0;
    while (environ[variables]) variables++;
    char **environment = calloc(variables + 4, sizeof *environment);
    int *own = calloc((size_t)count + 1, sizeof *own);
    size_t names_size = strlen(names) + 16;
    char *name_list = malloc(names_size);
    char fd_count[32], pid_text[32] = "LISTEN_PID=";
    int pid = -ENOMEM;
    if (environment && own && name_list) {
        size_t kept = 0;
        for (size_t i = 0; i < variables; i++)
            if (!is_listen_variable(environ[i])) environment[kept++] = environ[i];
        snprintf(fd_count, sizeof fd_count, "LISTEN_FDS=%d", count);
        snprintf(name_list, names_size, "LISTEN_FDNAMES=%s", names);
        environment[kept++] = fd_count;
        environment[kept++] = name_list;
        environment[kept++] = pid_text;
        memcpy(own, fds, (size_t)count * sizeof *own);
        pid = fork();
        if (pid == 0) become(path, arguments, environment, pid_text + 11, own, count);
        if (pid < 0) pid = -errno;
    }
    free(environment);
    free(own);
    free(name_list);
    return pid;
}

void cr_child_reap(int pid) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

void cr_child_signal(int pid, int signal) { kill(pid, signal); }

int cr_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0; }

int cr_pipe_tell(int fd) {
    char byte = 1;
    ssize_t n;
    do {
        n = write(fd, &byte, 1);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

int cr_pipe_hear(int fd, int timeout_ms) {
    if (!cr_wait_readable(fd, timeout_ms)) return -ETIMEDOUT;
    char byte;
    ssize_t n;
    do {
        n = read(fd, &byte, 1);
    } while (n < 0 && errno == EINTR);
    return n == 1;
}

int cr_notify(const char *text) {
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path || !*path) return 0;
    struct sockaddr_un address;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path) return -ENAMETOOLONG;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    /* A manager that does not listen shall keep nobody from serving. */
    struct timeval patience = {.tv_sec = CR_NOTIFY_SECONDS_MAX};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] == '@' ? 0 : 1));
    ssize_t n = sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address, size);
    int status = n < 0 ? -errno : 1;
    close(fd);
    return status;
}

int cr_socket_file(const char *path, uint64_t *device, uint64_t *number) {
    struct stat info;
    if (lstat(path, &info) < 0 || !S_ISSOCK(info.st_mode)) return 0;
    *device = info.st_dev;
    *number = info.st_ino;
    return 1;
}
