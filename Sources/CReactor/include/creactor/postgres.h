/* libpq, and what Swift cannot write about it: a notice receiver. */
#ifndef CREACTOR_POSTGRES_H
#define CREACTOR_POSTGRES_H

#include <stdint.h>
#include <string.h>

#include <postgresql/libpq-fe.h>

/* Has the server's notices dropped: libpq would print them. */
void cr_pg_silence(PGconn *connection);

#endif
