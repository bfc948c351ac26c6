/* Counts allocations of the process it is preloaded into (LD_PRELOAD), in the file that ALLOCATIONS_COUNTERS names.
 * Who called is told by the return address, which is compared with the range of libpq's code. With ALLOCATIONS_TRACE
 * set to a file, SIGUSR2 begins to record call stacks and a second one writes them there, most frequent first; frames
 * are `object(+offset)`, for addr2line. Limits: STACKS_MAX different stacks of FRAMES_MAX frames. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "counters.h"

enum { STACKS_MAX = 4096, FRAMES_MAX = 24, EARLY_BYTES = 64 * 1024 };

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);

static struct allocation_counters unshared;
static struct allocation_counters *counters = &unshared;
static uintptr_t libpq_start, libpq_end;

/* --- call stacks --- */

static struct stack {
    uint64_t hash, count;
    int depth;
    void *frames[FRAMES_MAX];
} stacks[STACKS_MAX];
static volatile int is_tracing;
static int stacks_lock;
static __thread int is_inside;

static void record_stack(void) {
    if (!is_tracing || is_inside) return;
    is_inside = 1; /* backtrace allocates the first time */
    void *frames[FRAMES_MAX];
    int depth = backtrace(frames, FRAMES_MAX);
    uint64_t hash = 1469598103934665603u;
    for (int index = 0; index < depth; index++) hash = (hash ^ (uintptr_t)frames[index]) * 1099511628211u;
    while (__atomic_exchange_n(&stacks_lock, 1, __ATOMIC_ACQUIRE)) {}
    for (int probe = 0; probe < STACKS_MAX; probe++) {
        struct stack *stack = &stacks[(hash + (uint64_t)probe) % STACKS_MAX];
        if (stack->count && stack->hash != hash) continue;
        if (!stack->count) {
            stack->hash = hash;
            stack->depth = depth;
            memcpy(stack->frames, frames, sizeof frames);
        }
        stack->count++;
        break;
    }
    __atomic_store_n(&stacks_lock, 0, __ATOMIC_RELEASE);
    is_inside = 0;
}

static int more_frequent(const void *a, const void *b) {
    uint64_t left = ((const struct stack *)a)->count, right = ((const struct stack *)b)->count;
    return left < right ? 1 : left > right ? -1 : 0;
}

static void trace_signal(int signal) {
    (void)signal;
    if (!is_tracing) {
        is_tracing = 1;
        return;
    }
    is_tracing = 0;
    int file = open(getenv("ALLOCATIONS_TRACE"), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0) return;
    is_inside = 1;
    qsort(stacks, STACKS_MAX, sizeof stacks[0], more_frequent);
    for (int index = 0; index < STACKS_MAX && stacks[index].count; index++) {
        dprintf(file, "%llu calls\n", (unsigned long long)stacks[index].count);
        backtrace_symbols_fd(stacks[index].frames, stacks[index].depth, file);
    }
    is_inside = 0;
    close(file);
}

/* --- the count --- */

static void add(uint64_t *counter, uint64_t amount) { __atomic_fetch_add(counter, amount, __ATOMIC_RELAXED); }

static inline void count(size_t bytes, void *caller) {
    uintptr_t address = (uintptr_t)caller;
    int is_libpq = address >= libpq_start && address < libpq_end;
    add(is_libpq ? &counters->libpq : &counters->own, 1);
    add(&counters->bytes, bytes);
    if (is_tracing && !is_libpq) record_stack();
}

#define COUNT(bytes) count(bytes, __builtin_return_address(0))

void *malloc(size_t bytes) {
    COUNT(bytes);
    return __libc_malloc(bytes);
}

void *calloc(size_t number, size_t bytes) {
    COUNT(number * bytes);
    return __libc_calloc(number, bytes);
}

void *realloc(void *old, size_t bytes) {
    COUNT(bytes);
    return __libc_realloc(old, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    COUNT(bytes);
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **place, size_t alignment, size_t bytes) {
    COUNT(bytes);
    *place = __libc_memalign(alignment, bytes);
    return *place ? 0 : ENOMEM;
}

/* libpq copies strings with it, and glibc's own would be counted as ours. */
char *strdup(const char *text) {
    size_t bytes = strlen(text) + 1;
    COUNT(bytes);
    char *copy = __libc_malloc(bytes);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

void *swift_allocObject(const void *type, size_t bytes, size_t alignment_mask) {
    static void *(*real)(const void *, size_t, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "swift_allocObject");
    add(&counters->objects, 1);
    return real(type, bytes, alignment_mask);
}

/* --- start --- */

static int note_libpq(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size, (void)context;
    if (!info->dlpi_name || !strstr(info->dlpi_name, "libpq.so")) return 0;
    for (int index = 0; index < info->dlpi_phnum; index++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[index];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
        libpq_start = info->dlpi_addr + part->p_vaddr;
        libpq_end = libpq_start + part->p_memsz;
    }
    return 1;
}

__attribute__((constructor)) static void start(void) {
    dl_iterate_phdr(note_libpq, NULL);
    const char *path = getenv("ALLOCATIONS_COUNTERS");
    int file = path ? open(path, O_RDWR) : -1;
    if (file >= 0) {
        void *shared = mmap(NULL, sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (shared != MAP_FAILED) counters = shared;
        close(file);
    }
    if (getenv("ALLOCATIONS_TRACE")) {
        void *frame;
        backtrace(&frame, 1);
        struct sigaction action = {.sa_handler = trace_signal, .sa_flags = SA_RESTART};
        sigaction(SIGUSR2, &action, NULL);
    }
}
