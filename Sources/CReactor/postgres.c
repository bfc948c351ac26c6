#include "creactor.h"

static void drop_notice(void *context, const PGresult *notice) {
    (void)context;
    (void)notice;
}

void cr_pg_silence(PGconn *connection) { PQsetNoticeReceiver(connection, drop_notice, NULL); }
