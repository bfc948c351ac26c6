/* 64-bit words that one thread writes and others read now and then: counters of metric shards. */
#ifndef CREACTOR_RELAXED_H
#define CREACTOR_RELAXED_H

#include <stdint.h>

static inline int64_t cr_relaxed_load(const int64_t *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
static inline void cr_relaxed_store(int64_t *word, int64_t value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }

/* Adds without a locked instruction: right only where one thread writes the word. */
static inline void cr_relaxed_add(int64_t *word, int64_t value) {
    cr_relaxed_store(word, cr_relaxed_load(word) + value);
}

#endif
