/* TLS by OpenSSL 3 between two runs of bytes: no socket, so that epoll and io_uring serve it alike. A context belongs to
 * the process and is not changed once it is set up; a session belongs to one thread at a time.
 *
 *   records from the peer -> cr_tls_feed -> cr_tls_open -> what the application reads
 *   what it writes -> cr_tls_seal -> cr_tls_output -> records for the peer; a handshake's are there too
 *
 * Errors are negative numbers: -errno, or the codes that cr_tls_error_text has words for. */
#ifndef CREACTOR_TLS_H
#define CREACTOR_TLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cr_tls_context;
struct cr_tls;

/* Who answers for a peer's certificate. */
enum cr_tls_peers {
    CR_TLS_NOT_ASKED,    /* a server that does not ask; a client that takes any */
    CR_TLS_ASKED,        /* a server: what is shown must be good, nothing need be */
    CR_TLS_REQUIRED,     /* must be shown, and good */
};

/* What cr_tls_open says besides a count. */
#define CR_TLS_ENDED (-1)           /* close_notify: the peer sends no more. No errno that TLS has is 1 */
#define CR_TLS_TRUNCATED 0xffff     /* the connection ended without close_notify: for the caller, who sees that */
#define CR_TLS_VERIFY_BASE 0x10000  /* + an X509_V_ERR of the peer's certificate */
#define CR_TLS_OPENSSL_BASE 0x800000 /* from here on: OpenSSL's own codes */

/* A server's context. The files are PEM; `ca_file` (or NULL) has the authorities of client certificates.
 * On failure NULL, with the file that is at fault (1 certificate, 2 key, 3 authorities, 0 none) and its code. */
struct cr_tls_context *cr_tls_server(
    const char *certificate_file, const char *key_file, const char *ca_file, enum cr_tls_peers peers, int *file,
    int *error);

/* A client's context: `ca_file`, or NULL for the system's authorities. */
struct cr_tls_context *cr_tls_client(const char *ca_file, enum cr_tls_peers peers, int *error);

void cr_tls_context_free(struct cr_tls_context *context);

/* When the context's own certificate expires, in seconds since the epoch; 0 where it has none. */
int64_t cr_tls_expiry(struct cr_tls_context *context);

/* A server's session. NULL without memory. */
struct cr_tls *cr_tls_accept(struct cr_tls_context *context);

/* A client's session with the server that must prove to be `host` (a name or a numeric address). `alpn` is a name of an
 * application protocol, or NULL; `resumed` a session to go on with, or NULL. */
struct cr_tls *cr_tls_connect(
    struct cr_tls_context *context, const char *host, const char *alpn, const void *resumed);

void cr_tls_free(struct cr_tls *tls);

/* Lends records until cr_tls_open has said 0 or less. */
void cr_tls_feed(struct cr_tls *tls, const void *bytes, size_t count);

/* Decrypts into `into`. Returns bytes; 0 when more records are needed; CR_TLS_ENDED; or an error, after which the session
 * is of no use, but its output (an alert) may be sent. Drives the handshake too. */
ssize_t cr_tls_open(struct cr_tls *tls, void *into, size_t room);

/* Whether the handshake is complete. */
int cr_tls_is_established(const struct cr_tls *tls);

/* Encrypts all of `bytes`. 0 or an error. Only once established. */
int cr_tls_seal(struct cr_tls *tls, const void *bytes, size_t count);

/* Puts bytes among the records as they are: for a peer that turned out to speak no TLS. 0 or -ENOMEM. */
int cr_tls_pass(struct cr_tls *tls, const void *bytes, size_t count);

/* Says that nothing more will be sent. */
void cr_tls_end(struct cr_tls *tls);

/* Records to send next. They stay where they are until cr_tls_sent has been told of all of them. */
size_t cr_tls_output(struct cr_tls *tls, const void **bytes);
void cr_tls_sent(struct cr_tls *tls, size_t count);
/* All that waits to be sent, what is made behind cr_tls_output's included. */
size_t cr_tls_unsent(const struct cr_tls *tls);
/* Forgets what waits to be sent. */
void cr_tls_drop_output(struct cr_tls *tls);

/* Whether the peer has shown a certificate that was found good. */
int cr_tls_has_peer_certificate(const struct cr_tls *tls);
int cr_tls_was_resumed(const struct cr_tls *tls);

/* The session that the server gave last, to be resumed, or NULL; the caller frees it. */
void *cr_tls_take_session(struct cr_tls *tls);
void cr_tls_session_free(void *session);

/* Words for an error above errno's range; NULL for an errno. Static, or kept by OpenSSL. */
const char *cr_tls_error_text(int error);
/* Whether an error says that the peer speaks HTTP and not TLS. */
int cr_tls_is_plain_http(int error);

#endif
