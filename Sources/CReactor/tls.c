#include "creactor/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/* Forward secrecy and authenticated encryption only; TLS 1.3 has no others. */
static const char *ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
static const unsigned char http_alpn[] = "\x08http/1.1";
static const unsigned char session_context[] = "taxlien-gateway";

struct bytes {
    uint8_t *base;
    size_t head, tail, capacity;
};

struct cr_tls {
    SSL *ssl;
    const uint8_t *in;
    size_t in_count;
    /* Lent to who sends, and what is made meanwhile. */
    struct bytes leaving, gathering;
    SSL_SESSION *session;
    int has_no_memory;
};

/* ---- Bytes */

static int append(struct bytes *bytes, const void *from, size_t count) {
    if (bytes->capacity - bytes->tail < count) {
        size_t wanted = bytes->capacity ? bytes->capacity : 2048;
        while (wanted - bytes->tail < count) wanted *= 2;
        uint8_t *moved = realloc(bytes->base, wanted);
        if (!moved) return -ENOMEM;
        bytes->base = moved;
        bytes->capacity = wanted;
    }
    memcpy(bytes->base + bytes->tail, from, count);
    bytes->tail += count;
    return 0;
}

static size_t readable(const struct bytes *bytes) { return bytes->tail - bytes->head; }

static void drop(struct bytes *bytes) {
    free(bytes->base);
    *bytes = (struct bytes){0};
}

/* ---- The BIO: reads what is lent, writes into `gathering` */

static int bio_read(BIO *bio, char *into, size_t room, size_t *count) {
    struct cr_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (tls->in_count == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *count = room < tls->in_count ? room : tls->in_count;
    memcpy(into, tls->in, *count);
    tls->in += *count;
    tls->in_count -= *count;
    return 1;
}

static int bio_write(BIO *bio, const char *from, size_t count, size_t *written) {
    struct cr_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (append(&tls->gathering, from, count) < 0) {
        tls->has_no_memory = 1;
        return 0;
    }
    *written = count;
    return 1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *method;

/* Before main, while there is one thread: contexts and sessions are made on many. */
__attribute__((constructor)) static void make_method(void) {
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "creactor");
    if (!method) abort();
    BIO_meth_set_read_ex(method, bio_read);
    BIO_meth_set_write_ex(method, bio_write);
    BIO_meth_set_ctrl(method, bio_control);
}

/* ---- Errors */

/* The oldest error tells the cause; those behind it, what it led to. */
static int taken_error(void) {
    unsigned long code = ERR_get_error();
    ERR_clear_error();
    if (code == 0) return EPROTO;
    if (ERR_SYSTEM_ERROR(code)) return ERR_GET_REASON(code);
    return (int)code;
}

const char *cr_tls_error_text(int error) {
    if (error >= CR_TLS_OPENSSL_BASE) {
        const char *text = ERR_reason_error_string((unsigned long)error);
        return text ? text : "an unknown error of OpenSSL";
    }
    if (error == CR_TLS_TRUNCATED) return "the peer closed the connection in the middle of TLS";
    if (error >= CR_TLS_VERIFY_BASE) return X509_verify_cert_error_string(error - CR_TLS_VERIFY_BASE);
    return NULL;
}

int cr_tls_is_plain_http(int error) {
    return error >= CR_TLS_OPENSSL_BASE && ERR_GET_LIB((unsigned long)error) == ERR_LIB_SSL &&
           ERR_GET_REASON((unsigned long)error) == SSL_R_HTTP_REQUEST;
}

/* ---- Contexts */

/* A key with a passphrase is refused: nobody is there to be asked. */
static int no_passphrase(char *into, int room, int is_for_writing, void *data) {
    (void)into, (void)room, (void)is_for_writing, (void)data;
    return -1;
}

static int choose_alpn(
    SSL *ssl, const unsigned char **chosen, unsigned char *chosen_count, const unsigned char *offered,
    unsigned offered_count, void *data) {
    (void)ssl, (void)data;
    int outcome = SSL_select_next_proto(
        (unsigned char **)chosen, chosen_count, http_alpn, sizeof http_alpn - 1, offered, offered_count);
    return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int new_session(SSL *ssl, SSL_SESSION *session) {
    struct cr_tls *tls = SSL_get_app_data(ssl);
    if (!tls) return 0;
    SSL_SESSION_free(tls->session);
    tls->session = session;
    return 1;
}

static SSL_CTX *make_context(const SSL_METHOD *role) {
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(role);
    if (!context) return NULL;
    SSL_CTX_set_options(
        context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                     SSL_OP_PRIORITIZE_CHACHA);
    /* An idle session keeps no buffers; a write never half succeeds. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
        SSL_CTX_set_cipher_list(context, ciphers) == 1) {
        return context;
    }
    SSL_CTX_free(context);
    return NULL;
}

static int verify_mode(enum cr_tls_peers peers) {
    switch (peers) {
    case CR_TLS_NOT_ASKED: return SSL_VERIFY_NONE;
    case CR_TLS_ASKED: return SSL_VERIFY_PEER;
    case CR_TLS_REQUIRED: break;
    }
    return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

static int set_client_authorities(SSL_CTX *context, const char *ca_file, enum cr_tls_peers peers) {
    if (peers == CR_TLS_NOT_ASKED) return 1;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca_file);
    if (!names) return 0;
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, verify_mode(peers), NULL);
    return SSL_CTX_load_verify_file(context, ca_file);
}

struct cr_tls_context *cr_tls_server(
    const char *certificate_file, const char *key_file, const char *ca_file, enum cr_tls_peers peers, int *file,
    int *error) {
    SSL_CTX *context = make_context(TLS_server_method());
    *file = 0;
    if (!context) goto failed;
    /* Tickets carry what is needed to resume: nothing is kept here, and nothing is locked. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(context, session_context, sizeof session_context - 1);
    SSL_CTX_set_alpn_select_cb(context, choose_alpn, NULL);
    *file = 1;
    if (SSL_CTX_use_certificate_chain_file(context, certificate_file) != 1) goto failed;
    *file = 2;
    /* The key is held against the certificate while it is loaded. */
    if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1) goto failed;
    if (SSL_CTX_check_private_key(context) != 1) goto failed;
    *file = 3;
    if (!set_client_authorities(context, ca_file, peers)) goto failed;
    ERR_clear_error();
    return (struct cr_tls_context *)context;
failed:
    *error = taken_error();
    SSL_CTX_free(context);
    return NULL;
}

struct cr_tls_context *cr_tls_client(const char *ca_file, enum cr_tls_peers peers, int *error) {
    SSL_CTX *context = make_context(TLS_client_method());
    if (!context) goto failed;
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, new_session);
    SSL_CTX_set_verify(context, verify_mode(peers), NULL);
    int loaded = 1;
    if (peers != CR_TLS_NOT_ASKED) {
        loaded = ca_file ? SSL_CTX_load_verify_file(context, ca_file) : SSL_CTX_set_default_verify_paths(context);
    }
    if (loaded != 1) goto failed;
    ERR_clear_error();
    return (struct cr_tls_context *)context;
failed:
    *error = taken_error();
    SSL_CTX_free(context);
    return NULL;
}

void cr_tls_context_free(struct cr_tls_context *context) { SSL_CTX_free((SSL_CTX *)context); }

int64_t cr_tls_expiry(struct cr_tls_context *context) {
    X509 *certificate = SSL_CTX_get0_certificate((SSL_CTX *)context);
    struct tm at;
    if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &at) != 1) return 0;
    return (int64_t)timegm(&at);
}

/* ---- Sessions */

static struct cr_tls *make(struct cr_tls_context *context) {
    struct cr_tls *tls = calloc(1, sizeof *tls);
    if (!tls) return NULL;
    tls->ssl = SSL_new((SSL_CTX *)context);
    BIO *bio = BIO_new(method);
    if (!tls->ssl || !bio) {
        SSL_free(tls->ssl);
        BIO_free(bio);
        free(tls);
        return NULL;
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_app_data(tls->ssl, tls);
    return tls;
}

struct cr_tls *cr_tls_accept(struct cr_tls_context *context) {
    struct cr_tls *tls = make(context);
    if (tls) SSL_set_accept_state(tls->ssl);
    return tls;
}

static int is_numeric(const char *host) {
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(host);
    ASN1_OCTET_STRING_free(address);
    ERR_clear_error();
    return address != NULL;
}

static int set_host(SSL *ssl, const char *host) {
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    /* A numeric address is checked as one, and is no server name (RFC 6066 section 3). */
    if (SSL_set1_host(ssl, host) != 1) return 0;
    return is_numeric(host) || SSL_set_tlsext_host_name(ssl, host) == 1;
}

static int set_alpn(SSL *ssl, const char *name) {
    unsigned char list[256];
    size_t count = strlen(name);
    if (count > 255) return 0;
    list[0] = (unsigned char)count;
    memcpy(list + 1, name, count);
    return SSL_set_alpn_protos(ssl, list, (unsigned)count + 1) == 0;
}

struct cr_tls *cr_tls_connect(
    struct cr_tls_context *context, const char *host, const char *alpn, const void *resumed) {
    struct cr_tls *tls = make(context);
    if (!tls) return NULL;
    if (!set_host(tls->ssl, host) || (alpn && !set_alpn(tls->ssl, alpn))) {
        cr_tls_free(tls);
        return NULL;
    }
    /* One that cannot be resumed any more leads to a whole handshake. */
    if (resumed) SSL_set_session(tls->ssl, (SSL_SESSION *)resumed);
    ERR_clear_error();
    SSL_set_connect_state(tls->ssl);
    return tls;
}

void cr_tls_free(struct cr_tls *tls) {
    /* Else OpenSSL takes a session whose peer did not say goodbye for one that must not be resumed. */
    SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(tls->ssl);
    SSL_SESSION_free(tls->session);
    drop(&tls->leaving);
    drop(&tls->gathering);
    free(tls);
}

void cr_tls_feed(struct cr_tls *tls, const void *bytes, size_t count) {
    tls->in = bytes;
    tls->in_count = count;
}

static int failure(struct cr_tls *tls) {
    long verdict = SSL_get_verify_result(tls->ssl);
    int error = taken_error();
    tls->in_count = 0;
    if (tls->has_no_memory) return -ENOMEM;
    int is_verdict = error >= CR_TLS_OPENSSL_BASE && ERR_GET_REASON((unsigned long)error) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    return is_verdict && verdict != X509_V_OK ? -(CR_TLS_VERIFY_BASE + (int)verdict) : -error;
}

ssize_t cr_tls_open(struct cr_tls *tls, void *into, size_t room) {
    size_t count = 0;
    ERR_clear_error();
    int outcome = SSL_read_ex(tls->ssl, into, room, &count);
    if (outcome == 1) return (ssize_t)count;
    switch (SSL_get_error(tls->ssl, outcome)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return 0;
    case SSL_ERROR_ZERO_RETURN: tls->in_count = 0; return CR_TLS_ENDED;
    default: return failure(tls);
    }
}

int cr_tls_is_established(const struct cr_tls *tls) { return SSL_is_init_finished(tls->ssl); }

int cr_tls_seal(struct cr_tls *tls, const void *bytes, size_t count) {
    size_t written = 0;
    if (count == 0) return 0;
    ERR_clear_error();
    if (SSL_write_ex(tls->ssl, bytes, count, &written) == 1 && written == count) return 0;
    return failure(tls);
}

int cr_tls_pass(struct cr_tls *tls, const void *bytes, size_t count) { return append(&tls->gathering, bytes, count); }

void cr_tls_end(struct cr_tls *tls) {
    ERR_clear_error();
    if (SSL_is_init_finished(tls->ssl)) SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

size_t cr_tls_output(struct cr_tls *tls, const void **bytes) {
    if (readable(&tls->leaving) == 0) {
        drop(&tls->leaving);
        struct bytes empty = tls->leaving;
        tls->leaving = tls->gathering;
        tls->gathering = empty;
    }
    *bytes = tls->leaving.base + tls->leaving.head;
    return readable(&tls->leaving);
}

void cr_tls_sent(struct cr_tls *tls, size_t count) {
    tls->leaving.head += count;
    if (readable(&tls->leaving) == 0) drop(&tls->leaving);
}

size_t cr_tls_unsent(const struct cr_tls *tls) { return readable(&tls->leaving) + readable(&tls->gathering); }

void cr_tls_drop_output(struct cr_tls *tls) {
    drop(&tls->leaving);
    drop(&tls->gathering);
}

int cr_tls_has_peer_certificate(const struct cr_tls *tls) {
    return SSL_get0_peer_certificate(tls->ssl) != NULL && SSL_get_verify_result(tls->ssl) == X509_V_OK;
}

int cr_tls_was_resumed(const struct cr_tls *tls) { return SSL_session_reused(tls->ssl); }

void *cr_tls_take_session(struct cr_tls *tls) {
    SSL_SESSION *session = tls->session;
    tls->session = NULL;
    return session;
}

void cr_tls_session_free(void *session) { SSL_SESSION_free(session); }
