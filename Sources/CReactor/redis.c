#include "creactor.h"

#include <errno.h>
#include <hiredis/hiredis.h>

/* An arena or an input buffer that has grown beyond this is freed once its reply has been used. */
#define KEPT_BYTES_MAX (1024 * 1024)

struct cr_redis_reader {
    redisReader *reader;
    struct cr_redis_node *nodes;
    char *bytes;
    size_t node_count, node_capacity;
    size_t byte_count, byte_capacity;
    size_t reply_bytes_max;
    int is_too_large;
};

/* Makes room for `more` elements after `count`; doubles. NULL leaves the storage as it was. */
static void *grow(void *storage, size_t size, size_t count, size_t more, size_t *capacity) {
    if (*capacity - count >= more) return storage;
    size_t wanted = *capacity ? *capacity : 64;
    while (wanted - count < more) wanted *= 2;
    void *grown = realloc(storage, wanted * size);
    if (grown) *capacity = wanted;
    return grown;
}

/* Appends a node under the task's parent. hiredis holds the result only to hand it back: it is an index plus one. */
static void *add_node(const redisReadTask *task, uint32_t type, uint64_t count, int64_t value) {
    struct cr_redis_reader *self = task->privdata;
    if (self->byte_count + (self->node_count + 1) * sizeof *self->nodes > self->reply_bytes_max) {
        self->is_too_large = 1;
        return NULL;
    }
    struct cr_redis_node *nodes = grow(self->nodes, sizeof *nodes, self->node_count, 1, &self->node_capacity);
    if (!nodes) return NULL;
    self->nodes = nodes;
    size_t index = self->node_count++;
    nodes[index] = (struct cr_redis_node){type, (uint32_t)self->node_count, count, value};
    for (const redisReadTask *above = task->parent; above; above = above->parent)
        nodes[(uintptr_t)above->obj - 1].end = (uint32_t)self->node_count;
    return (void *)(uintptr_t)(index + 1);
}

static void *create_string(const redisReadTask *task, char *text, size_t count) {
    struct cr_redis_reader *self = task->privdata;
    if (count > self->reply_bytes_max - self->byte_count) {
        self->is_too_large = 1;
        return NULL;
    }
    char *bytes = grow(self->bytes, 1, self->byte_count, count, &self->byte_capacity);
    if (!bytes) return NULL;
    self->bytes = bytes;
    size_t start = self->byte_count;
    if (count) memcpy(bytes + start, text, count);
    self->byte_count += count;
    uint32_t type = task->type == REDIS_REPLY_ERROR ? CR_REDIS_ERROR : task->type == REDIS_REPLY_STATUS ? CR_REDIS_STATUS : CR_REDIS_STRING;
    return add_node(task, type, count, (int64_t)start);
}

static void *create_array(const redisReadTask *task, int count) {
    return add_node(task, CR_REDIS_ARRAY, (uint64_t)count, 0);
}

static void *create_integer(const redisReadTask *task, long long value) {
    return add_node(task, CR_REDIS_INTEGER, 0, value);
}

static void *create_nil(const redisReadTask *task) { return add_node(task, CR_REDIS_NIL, 0, 0); }

/* Nodes are the arena's. */
static void free_node(void *node) { (void)node; }

static redisReplyObjectFunctions functions = {create_string, create_array, create_integer, create_nil, free_node};

int cr_redis_reader_reset(struct cr_redis_reader *self) {
    redisReader *fresh = redisReaderCreateWithFunctions(&functions);
    if (!fresh) return -ENOMEM;
    fresh->maxbuf = KEPT_BYTES_MAX;
    fresh->privdata = self;
    if (self->reader) redisReaderFree(self->reader);
    self->reader = fresh;
    self->node_count = self->byte_count = 0;
    self->is_too_large = 0;
    return 0;
}

struct cr_redis_reader *cr_redis_reader_create(size_t reply_bytes_max) {
    struct cr_redis_reader *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    self->reply_bytes_max = reply_bytes_max;
    self->bytes = malloc(self->byte_capacity = 64); /* never NULL: an empty string has an address too */
    if (!self->bytes || cr_redis_reader_reset(self) < 0) {
        free(self->bytes);
        free(self);
        return NULL;
    }
    return self;
}

void cr_redis_reader_free(struct cr_redis_reader *self) {
    redisReaderFree(self->reader);
    free(self->nodes);
    free(self->bytes);
    free(self);
}

int cr_redis_reader_feed(struct cr_redis_reader *self, const void *bytes, size_t count) {
    return redisReaderFeed(self->reader, bytes, count) == REDIS_OK ? 0 : -ENOMEM;
}

/* Empties the arena, and shrinks one that a rare large reply has blown up. */
static void clear_arena(struct cr_redis_reader *self) {
    self->node_count = self->byte_count = 0;
    if (self->node_capacity * sizeof *self->nodes > KEPT_BYTES_MAX) {
        free(self->nodes);
        self->nodes = NULL;
        self->node_capacity = 0;
    }
    if (self->byte_capacity > KEPT_BYTES_MAX) {
        char *bytes = realloc(self->bytes, 64);
        if (bytes) {
            self->bytes = bytes;
            self->byte_capacity = 64;
        }
    }
}

int cr_redis_reader_next(struct cr_redis_reader *self) {
    redisReader *reader = self->reader;
    if (reader->ridx == -1) clear_arena(self); /* not in the middle of a reply */
    void *reply = NULL;
    if (redisReaderGetReply(reader, &reply) != REDIS_OK) return self->is_too_large ? -EMSGSIZE : -EPROTO;
    if (reply) return 1;
    return reader->len - reader->pos > self->reply_bytes_max ? -EMSGSIZE : 0;
}

const struct cr_redis_node *cr_redis_reader_nodes(const struct cr_redis_reader *self) { return self->nodes; }

const char *cr_redis_reader_bytes(const struct cr_redis_reader *self) { return self->bytes; }

size_t cr_redis_reader_arena_bytes(const struct cr_redis_reader *self) {
    return self->node_capacity * sizeof *self->nodes + self->byte_capacity;
}

/* SHA-1 (FIPS 180-4): Redis names scripts by it; nothing secret depends on it. */

static uint32_t rotate(uint32_t word, int count) { return word << count | word >> (32 - count); }

static void sha1_block(uint32_t state[5], const uint8_t *block) {
    uint32_t w[80];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[i * 4] << 24 | (uint32_t)block[i * 4 + 1] << 16 | (uint32_t)block[i * 4 + 2] << 8 | block[i * 4 + 3];
    for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20 ? ((b & c) | (~b & d)) + 0x5a827999
            : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
            : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                     : (b ^ c ^ d) + 0xca62c1d6;
        uint32_t next = rotate(a, 5) + f + e + w[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

void cr_sha1_hex(const void *bytes, size_t count, char *hex) {
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    const uint8_t *at = bytes;
    size_t left = count;
    for (; left >= 64; at += 64, left -= 64) sha1_block(state, at);
    uint8_t tail[128] = {0};
    if (left) memcpy(tail, at, left);
    tail[left] = 0x80;
    size_t size = left < 56 ? 64 : 128;
    for (int i = 0; i < 8; i++) tail[size - 1 - i] = (uint8_t)((uint64_t)count * 8 >> (8 * i));
    for (size_t i = 0; i < size; i += 64) sha1_block(state, tail + i);
    for (int i = 0; i < 40; i++) hex[i] = "0123456789abcdef"[state[i / 8] >> (28 - i % 8 * 4) & 15];
}
