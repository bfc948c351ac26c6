/* What the counting library writes into its shared file and others read there. */
#ifndef COUNTERS_H
#define COUNTERS_H

#include <stdint.h>

/* Calls of malloc, calloc, realloc, posix_memalign and aligned_alloc, by the library that made them. */
struct allocation_counters {
    uint64_t own;     /* everything but libpq: our code, the Swift runtime, hiredis, glibc */
    uint64_t libpq;   /* from inside libpq */
    uint64_t objects; /* swift_allocObject; each is one of `own` too */
    uint64_t bytes;   /* asked for, of all */
};

#endif
