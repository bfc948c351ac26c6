/* libpq, and what Swift cannot write about it: a notice receiver, and constants that are character literals. */
#ifndef CREACTOR_POSTGRES_H
#define CREACTOR_POSTGRES_H

#include <stdint.h>
#include <string.h>

#include <postgresql/libpq-fe.h>

/* Fields of an error for PQresultErrorField. */
static const int CR_PG_SQLSTATE = PG_DIAG_SQLSTATE;
static const int CR_PG_MESSAGE = PG_DIAG_MESSAGE_PRIMARY;
static const int CR_PG_CONSTRAINT = PG_DIAG_CONSTRAINT_NAME;
static const int CR_PG_TABLE = PG_DIAG_TABLE_NAME;
static const int CR_PG_COLUMN = PG_DIAG_COLUMN_NAME;

/* Has the server's notices dropped: libpq would print them. */
void cr_pg_silence(PGconn *connection);

#endif
