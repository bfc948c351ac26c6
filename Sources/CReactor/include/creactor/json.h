/* Scanning JSON text 16 bytes at a time, and numbers to text.
 * Reads only what it is given, never a byte more. <immintrin.h> would break the module build: vector extensions and
 * one builtin do the same. */
#ifndef CREACTOR_JSON_H
#define CREACTOR_JSON_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Index of the first byte that a JSON string cannot hold as it is, or that needs a look: the quote, the backslash,
 * control characters, and everything above ASCII. `count` where there is none. */
__attribute__((always_inline)) static inline size_t cr_json_string_stop(const void *bytes, size_t count)
{
    const unsigned char *text = (const unsigned char *)bytes;
    size_t at = 0;
#if defined(__SSE2__)
    typedef signed char cr_json_block __attribute__((vector_size(16)));
    typedef char cr_json_mask __attribute__((vector_size(16)));
    while (count - at >= 16) {
        cr_json_block block;
        memcpy(&block, text + at, sizeof block);
        /* Signed: bytes from 0x80 on are below 32 as well. */
        cr_json_block hit = (block < 32) | (block == '"') | (block == '\\');
        unsigned mask = (unsigned)__builtin_ia32_pmovmskb128((cr_json_mask)hit);
        if (mask != 0)
            return at + (size_t)__builtin_ctz(mask);
        at += 16;
    }
#else
    while (count - at >= 8) {
        const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
        uint64_t word;
        memcpy(&word, text + at, sizeof word);
        uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
        uint64_t hit = word | (word - ones * 32) | (quote - ones) | (backslash - ones);
        /* A borrow may mark a neighbour of a true hit, never a word without one: the loop below finds which. */
        if (hit & highs)
            break;
        at += 8;
    }
#endif
    while (at < count) {
        unsigned char byte = text[at];
        if (byte < 32 || byte == '"' || byte == '\\' || byte >= 128)
            return at;
        at++;
    }
    return count;
}

/* The shortest decimal text that reads back as `value` (finite), into `out` of at least 32 bytes; its length. */
static inline int cr_json_double(char *out, double value)
{
    int length = 0;
    for (int digits = 15; digits <= 17; digits++) {
        length = snprintf(out, 32, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    return length;
}

#endif
