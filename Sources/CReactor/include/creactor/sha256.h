/* SHA-256 of what arrives in pieces, and HMAC-SHA-256, by OpenSSL's libcrypto. */
#ifndef CREACTOR_SHA256_H
#define CREACTOR_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define CR_SHA256_SIZE 32

struct cr_sha256;

/* A hash of nothing so far; NULL where there is no memory. Freed by cr_sha256_free. */
struct cr_sha256 *cr_sha256_create(void);
void cr_sha256_free(struct cr_sha256 *hash);

/* Adds bytes. 0 or -ENOMEM, after which the hash is good for nothing but cr_sha256_free. */
int cr_sha256_update(struct cr_sha256 *hash, const void *bytes, size_t count);

/* Writes the digest of all bytes added and starts anew. 0 or -ENOMEM. */
int cr_sha256_finish(struct cr_sha256 *hash, uint8_t digest[CR_SHA256_SIZE]);

/* 0 or -ENOMEM. */
int cr_hmac_sha256(
    const void *key, size_t key_count, const void *bytes, size_t count, uint8_t digest[CR_SHA256_SIZE]);

#endif
