/* The results that the load generator posts and the COPY peer writes: the same rows for both, from their number alone.
 * Limits: PAYLOAD_COUNT different objects of `data`, used in turn. */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAYLOAD_COUNT 64

struct payload {
    char *bytes;
    size_t count;
};

static inline uint32_t payload_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* A JSON object of about `bytes` bytes: the fields of a parcel, their values pseudo-random and half compressible. */
static inline struct payload payload_make(unsigned seed, size_t bytes) {
    static const char *names[] = {"owner_name", "owner_address", "assessed_value", "land_use", "legal_description", "tax_year",
                                  "deed_book", "lot_area", "school_district", "last_sale_price", "improvement_value", "zoning"};
    static const char *words[] = {"LOT", "BLOCK", "SUBDIVISION", "TRACT", "MAIN ST", "FORT COLLINS", "CO", "RESIDENTIAL", "TRUST", "LLC"};
    uint64_t state = seed * 2654435761u + 1;
    struct payload payload = {malloc(bytes + 256), 0};
    if (!payload.bytes) abort();
    char *at = payload.bytes, *end = payload.bytes + bytes - 40;
    at += sprintf(at, "{\"source\":\"assessor\"");
    for (unsigned field = 0; at < end; field++) {
        at += sprintf(at, ",\"%s_%u\":", names[field % 12], field / 12);
        uint32_t value = payload_random(&state);
        if (field % 3 == 0)
            at += sprintf(at, "%u.%02u", value % 1000000, payload_random(&state) % 100);
        else
            at += sprintf(at, "\"%s %u %s\"", words[value % 10], payload_random(&state) % 10000, words[value / 16 % 10]);
    }
    *at++ = '}';
    payload.count = (size_t)(at - payload.bytes);
    return payload;
}

static inline void payload_make_all(struct payload payloads[PAYLOAD_COUNT], size_t bytes) {
    for (unsigned index = 0; index < PAYLOAD_COUNT; index++) payloads[index] = payload_make(index, bytes);
}

#endif
