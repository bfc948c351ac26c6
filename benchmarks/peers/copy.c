/* The ceiling for results: the same rows that the load generator posts, written by COPY in binary format into the same
 * table, each batch a transaction of its own, over as many connections as asked for (one process each).
 * Prints rows, seconds and rows/s.  Usage: copy URL ROWS BATCH CONNECTIONS BYTES FIRST */
#include <arpa/inet.h>
#include <endian.h>
#include <libpq-fe.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../payload.h"

static struct payload payloads[PAYLOAD_COUNT];

static void fail(PGconn *session, const char *what) {
    fprintf(stderr, "copy: %s: %s\n", what, PQerrorMessage(session));
    exit(1);
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static char *put(char *at, const void *bytes, size_t count) {
    uint32_t length = htonl((uint32_t)count);
    memcpy(at, &length, 4);
    memcpy(at + 4, bytes, count);
    return at + 4 + count;
}

static char *put_text(char *at, const char *text) { return put(at, text, strlen(text)); }

/* Microseconds from PostgreSQL's epoch to 2026-02-04 10:00:00.125. */
#define SCRAPED_AT_US (823514400125000LL)

static char *put_row(char *at, long row) {
    static const char *platforms[] = {"beacon", "qpublic", "treasurer"};
    char text[32];
    const struct payload *payload = &payloads[row % PAYLOAD_COUNT];
    uint16_t columns = htons(10), ordinal = htons((uint16_t)(row % 64 + 1));
    uint64_t scraped_at = htobe64(SCRAPED_AT_US);
    uint32_t duration = htonl(120), json = htonl((uint32_t)payload->count + 1);
    memcpy(at, &columns, 2);
    at += 2;
    sprintf(text, "R%09ld", row);
    at = put_text(at, text);
    at = put_text(at, platforms[row % 3]);
    at = put_text(at, "CO");
    at = put_text(at, "Larimer");
    at = put(at, &scraped_at, 8);
    at = put(at, &duration, 4);
    at = put(at, &ordinal, 2);
    sprintf(text, "load-%09ld", row);
    at = put_text(at, text);
    sprintf(text, "worker-%06ld", row % 10000);
    at = put_text(at, text);
    memcpy(at, &json, 4);
    at[4] = 1;
    memcpy(at + 5, payload->bytes, payload->count);
    return at + 5 + payload->count;
}

static void copy_batch(PGconn *session, long first, long rows, char *row_bytes) {
    PGresult *result = PQexec(session,
                              "COPY parcel_results (parcel_id, platform, state, county, scraped_at, parse_duration_ms, batch_ordinal,"
                              " task_id, worker_id, data) FROM STDIN (FORMAT binary)");
    if (PQresultStatus(result) != PGRES_COPY_IN) fail(session, "COPY");
    PQclear(result);
    static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", tail[] = "\377\377";
    if (PQputCopyData(session, head, 19) != 1) fail(session, "head");
    for (long row = first; row < first + rows; row++) {
        char *end = put_row(row_bytes, row);
        if (PQputCopyData(session, row_bytes, (int)(end - row_bytes)) != 1) fail(session, "row");
    }
    if (PQputCopyData(session, tail, 2) != 1 || PQputCopyEnd(session, NULL) != 1) fail(session, "end");
    while ((result = PQgetResult(session))) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK) fail(session, "commit");
        PQclear(result);
    }
}

static void copy_part(const char *url, long first, long rows, long batch, size_t bytes) {
    PGconn *session = PQconnectdb(url);
    if (PQstatus(session) != CONNECTION_OK) fail(session, "connect");
    char *row_bytes = malloc(bytes + 1024);
    for (long row = first; row < first + rows; row += batch)
        copy_batch(session, row, first + rows - row < batch ? first + rows - row : batch, row_bytes);
    PQfinish(session);
}

int main(int argc, char **argv) {
    if (argc != 7) {
        fputs("usage: copy URL ROWS BATCH CONNECTIONS BYTES FIRST\n", stderr);
        return 2;
    }
    long rows = atol(argv[2]), batch = atol(argv[3]), connections = atol(argv[4]), first = atol(argv[6]);
    size_t bytes = (size_t)atol(argv[5]);
    payload_make_all(payloads, bytes);
    double start = seconds_now();
    for (long index = 0; index < connections; index++) {
        if (fork()) continue;
        copy_part(argv[1], first + index * (rows / connections), rows / connections, batch, bytes);
        _exit(0);
    }
    int status, failed = 0;
    while (wait(&status) > 0) failed |= status;
    double seconds = seconds_now() - start;
    printf("rows=%ld seconds=%.3f rows_rate=%.0f\n", rows / connections * connections, seconds, (double)(rows / connections * connections) / seconds);
    return failed != 0;
}
