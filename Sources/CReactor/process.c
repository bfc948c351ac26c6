#include "creactor.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static int64_t count_descriptors(void) {
    DIR *folder = opendir("/proc/self/fd");
    if (!folder) return -1;
    int64_t count = 0;
    while (readdir(folder)) count++;
    closedir(folder);
    return count - 3; /* ".", ".." and the folder itself */
}

/* Seconds since the epoch at which the process started: field 22 of stat counts clock ticks since boot. */
static double started_seconds(void) {
    FILE *file = fopen("/proc/self/stat", "r");
    if (!file) return 0;
    char line[1024];
    size_t count = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[count] = 0;
    char *at = strrchr(line, ')'); /* the command's name may hold spaces */
    unsigned long long ticks = 0;
    if (at) sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &ticks);
    struct timespec wall, boot;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    double booted = (double)(wall.tv_sec - boot.tv_sec) + (double)(wall.tv_nsec - boot.tv_nsec) / 1e9;
    return booted + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

int cr_process_usage(struct cr_process_usage *usage) {
    struct rusage cpu;
    if (getrusage(RUSAGE_SELF, &cpu) < 0) return -errno;
    usage->cpu_us = ((int64_t)cpu.ru_utime.tv_sec + cpu.ru_stime.tv_sec) * 1000000 + cpu.ru_utime.tv_usec + cpu.ru_stime.tv_usec;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file) return -errno;
    long long pages = 0, resident = 0;
    int fields = fscanf(file, "%lld %lld", &pages, &resident);
    fclose(file);
    if (fields != 2) return -EIO;
    int64_t page = sysconf(_SC_PAGESIZE);
    usage->virtual_bytes = pages * page;
    usage->resident_bytes = resident * page;
    usage->descriptors_open = count_descriptors();
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    usage->descriptors_max = (int64_t)limit.rlim_cur;
    usage->started_seconds = started_seconds();
    return 0;
}

int64_t cr_descriptor_limit_raise(int64_t wanted) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    if ((int64_t)limit.rlim_cur < wanted) {
        limit.rlim_cur = (rlim_t)wanted < limit.rlim_max ? (rlim_t)wanted : limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    }
    return (int64_t)limit.rlim_cur;
}

int cr_random(void *bytes, size_t count) {
    uint8_t *at = bytes;
    while (count > 0) {
        ssize_t n = getrandom(at, count, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        at += n;
        count -= (size_t)n;
    }
    return 0;
}
