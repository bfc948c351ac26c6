/* What the kernel accounts to this process: for /metrics, read at a scrape. */
#ifndef CREACTOR_PROCESS_H
#define CREACTOR_PROCESS_H

#include <stddef.h>
#include <stdint.h>

struct cr_process_usage {
    int64_t cpu_us;            /* user and system time */
    int64_t resident_bytes;
    int64_t virtual_bytes;
    int64_t descriptors_open;
    int64_t descriptors_max;
    double started_seconds;    /* since the Unix epoch */
};

/* Reads /proc/self; 0 or -errno. */
int cr_process_usage(struct cr_process_usage *usage);

/* Raises the soft limit of open descriptors as far as `wanted` and the hard limit allow; returns the new limit. */
int64_t cr_descriptor_limit_raise(int64_t wanted);

/* Fills `bytes` from the kernel's random source; 0 or -errno. */
int cr_random(void *bytes, size_t count);

#endif
