/* Redis replies (RESP2) parsed by hiredis into plain nodes inside one arena that is used again for every reply, and
 * the SHA-1 that names a script. A reply is its nodes in pre-order: node 0 is the whole, each node knows where its own
 * subtree ends. Limits: hiredis nests 7 deep; one reply takes `reply_bytes_max` bytes at most, nodes included. */
#ifndef CREACTOR_REDIS_H
#define CREACTOR_REDIS_H

#include <stddef.h>
#include <stdint.h>

#define CR_REDIS_STRING 1u
#define CR_REDIS_ARRAY 2u
#define CR_REDIS_INTEGER 3u
#define CR_REDIS_NIL 4u
#define CR_REDIS_STATUS 5u
#define CR_REDIS_ERROR 6u

struct cr_redis_node {
    uint32_t type;  /* CR_REDIS_… */
    uint32_t end;   /* index of the first node after this one's subtree */
    uint64_t count; /* bytes of a string, status or error; elements of an array */
    int64_t value;  /* the integer, or where the bytes start in the arena */
};
_Static_assert(sizeof(struct cr_redis_node) == 24, "a node is three words");

struct cr_redis_reader;

/* NULL when there is no memory. */
struct cr_redis_reader *cr_redis_reader_create(size_t reply_bytes_max);
void cr_redis_reader_free(struct cr_redis_reader *reader);

/* Forgets everything received: for a new connection. 0 or -ENOMEM. */
int cr_redis_reader_reset(struct cr_redis_reader *reader);

/* Takes received bytes (copied). 0 or -ENOMEM. */
int cr_redis_reader_feed(struct cr_redis_reader *reader, const void *bytes, size_t count);

/* Parses the next reply: 1 it is there until the next call, 0 more bytes are needed, -EMSGSIZE it is larger than the
 * limit, -EPROTO it is not RESP. After an error only `reset` helps. */
int cr_redis_reader_next(struct cr_redis_reader *reader);

/* The reply's nodes and the bytes they point into. */
const struct cr_redis_node *cr_redis_reader_nodes(const struct cr_redis_reader *reader);
const char *cr_redis_reader_bytes(const struct cr_redis_reader *reader);

/* Bytes that the arena holds: for tests of its limits. */
size_t cr_redis_reader_arena_bytes(const struct cr_redis_reader *reader);

/* Writes the SHA-1 of `bytes` as 40 lower-case hexadecimal digits, without a terminator. */
void cr_sha1_hex(const void *bytes, size_t count, char *hex);

#endif
