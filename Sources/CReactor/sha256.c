#include "creactor/sha256.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

/* An EVP context by another name, so that no OpenSSL header reaches the module. */
static EVP_MD_CTX *context_of(struct cr_sha256 *hash) { return (EVP_MD_CTX *)hash; }

struct cr_sha256 *cr_sha256_create(void) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1) return (struct cr_sha256 *)context;
    EVP_MD_CTX_free(context);
    return NULL;
}

void cr_sha256_free(struct cr_sha256 *hash) { EVP_MD_CTX_free(context_of(hash)); }

int cr_sha256_update(struct cr_sha256 *hash, const void *bytes, size_t count) {
    return EVP_DigestUpdate(context_of(hash), bytes, count) == 1 ? 0 : -ENOMEM;
}

int cr_sha256_finish(struct cr_sha256 *hash, uint8_t digest[CR_SHA256_SIZE]) {
    if (EVP_DigestFinal_ex(context_of(hash), digest, NULL) != 1) return -ENOMEM;
    return EVP_DigestInit_ex(context_of(hash), EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
}

int cr_hmac_sha256(
    const void *key, size_t key_count, const void *bytes, size_t count, uint8_t digest[CR_SHA256_SIZE]) {
    unsigned int size = CR_SHA256_SIZE;
    return HMAC(EVP_sha256(), key, (int)key_count, bytes, count, digest, &size) ? 0 : -ENOMEM;
}
