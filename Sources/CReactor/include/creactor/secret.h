/* Secrets: comparison in time that does not depend on them, and random bytes from the kernel. */
#ifndef CREACTOR_SECRET_H
#define CREACTOR_SECRET_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/random.h>
#include <sys/types.h>

/* Bytes reserved for each secret in a table: its length must be below this. */
#define CR_SECRET_STRIDE 256

/* Finds `presented` in a table of `count` slots of CR_SECRET_STRIDE bytes, zero-padded, with `lengths[i]` in use.
 * Returns the index of the last equal slot, or -1. All slots are read, and of each as many bytes as were presented
 * (the peer's own knowledge), so the time tells neither a secret's bytes nor its length nor which one matched. */
static inline ptrdiff_t cr_secret_find(
    const uint8_t *presented, size_t length, const uint8_t *slots, const uint16_t *lengths, size_t count) {
    ptrdiff_t found = -1;
    if (length == 0 || length > CR_SECRET_STRIDE) return found;
    for (size_t slot = 0; slot < count; slot++) {
        const uint8_t *secret = slots + slot * CR_SECRET_STRIDE;
        uint64_t difference = length ^ (size_t)lengths[slot];
        for (size_t at = 0; at < length; at++) difference |= (uint64_t)(presented[at] ^ secret[at]);
        /* The compiler must not see that only zero or not matters, or it may leave the loop early. */
        __asm__ volatile("" : "+r"(difference));
        ptrdiff_t mask = -(ptrdiff_t)(((difference | (0 - difference)) >> 63) ^ 1);
        found = (found & ~mask) | ((ptrdiff_t)slot & mask);
    }
    return found;
}

/* Fills `into` with random bytes of the kernel. Returns 0 or -errno; at most 256 bytes, which are never cut short. */
static inline int cr_random_bytes(void *into, size_t count) {
    if (count > 256) return -EINVAL;
    ssize_t held;
    do held = getrandom(into, count, 0);
    while (held < 0 && errno == EINTR);
    return held < 0 ? -errno : 0;
}

#endif
