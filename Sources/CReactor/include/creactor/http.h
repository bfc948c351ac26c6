/* Scanning of HTTP/1.1 request heads: finds lines, names and values, judges nothing but their bytes.
 * Stateless, allocates nothing, never reads outside [bytes, bytes + count). Works on blocks of 64 bytes as bit masks
 * (SSE2 where there is, byte by byte elsewhere). Offsets are 32 bits: callers bound `count` to 2^31.
 * Source: RFC 9112 sections 2 to 5, RFC 9110 section 5. Its results are judged by RequestParser.swift. */
#ifndef CREACTOR_HTTP_H
#define CREACTOR_HTTP_H

#include <stdint.h>
#include <string.h>

/* What a scan returns: CR_HTTP_DONE, CR_HTTP_MORE, or the raw value of HTTPFailure.Reason. */
enum {
    CR_HTTP_DONE = 0,
    CR_HTTP_CONTROL_CHARACTER = 1,
    CR_HTTP_BARE_LF = 2,
    CR_HTTP_BARE_CR = 3,
    CR_HTTP_REQUEST_LINE = 4,
    CR_HTTP_METHOD_TOO_LONG = 5,
    CR_HTTP_TARGET_CHARACTER = 6,
    CR_HTTP_TARGET_TOO_LONG = 7,
    CR_HTTP_VERSION_MALFORMED = 8,
    CR_HTTP_VERSION_UNSUPPORTED = 9,
    CR_HTTP_HEADERS_TOO_LARGE = 10,
    CR_HTTP_HEADERS_TOO_MANY = 11,
    CR_HTTP_NO_COLON = 12,
    CR_HTTP_NAME_INVALID = 13,
    CR_HTTP_FOLDED = 14,
    CR_HTTP_SPACE_BEFORE_COLON = 15,
    CR_HTTP_MORE = 255,
};

enum { CR_HTTP_METHOD_BYTES_MAX = 32, CR_HTTP_KNOWN_COUNT = 27, CR_HTTP_KNOWN_NAME_BYTES_MAX = 32 };

/* The same layout as ByteRange and HeaderField in Swift. */
struct cr_http_range {
    uint32_t offset, count;
};
struct cr_http_field {
    struct cr_http_range name, value;
};
_Static_assert(sizeof(struct cr_http_field) == 16, "HeaderField is four 32-bit words");

/* ---- character classes ------------------------------------------------------------------------------------- */

enum {
    CR_HTTP_TOKEN = 1,       /* tchar, RFC 9110 5.6.2 */
    CR_HTTP_TARGET = 2,      /* in a request target, '?' apart: visible ASCII without # " < > \ */
    CR_HTTP_HOST = 4,        /* reg-name without percent-encoding, RFC 3986 3.2.2 */
    CR_HTTP_REQUEST_ID = 8,  /* api.md section 1 */
    CR_HTTP_WORKER_ID = 16,  /* api.md section 2 */
    CR_HTTP_HEX = 32,        /* HEXDIG */
    CR_HTTP_UNRESERVED = 64, /* RFC 3986 2.3: needs no percent-encoding anywhere */
};

#define CR_ALPHA (CR_HTTP_TOKEN | CR_HTTP_TARGET | CR_HTTP_HOST | CR_HTTP_REQUEST_ID | CR_HTTP_WORKER_ID | CR_HTTP_UNRESERVED)
#define CR_HEXALPHA (CR_ALPHA | CR_HTTP_HEX)
#define CR_TTH (CR_HTTP_TOKEN | CR_HTTP_TARGET | CR_HTTP_HOST)
static const uint8_t cr_http_class[256] = {
    ['0' ... '9'] = CR_HEXALPHA,
    ['A' ... 'F'] = CR_HEXALPHA,
    ['G' ... 'Z'] = CR_ALPHA,
    ['a' ... 'f'] = CR_HEXALPHA,
    ['g' ... 'z'] = CR_ALPHA,
    ['-'] = CR_ALPHA, ['.'] = CR_ALPHA, ['_'] = CR_ALPHA,
    ['~'] = CR_TTH | CR_HTTP_UNRESERVED,
    ['!'] = CR_TTH, ['$'] = CR_TTH, ['&'] = CR_TTH, ['\''] = CR_TTH, ['*'] = CR_TTH, ['+'] = CR_TTH,
    ['#'] = CR_HTTP_TOKEN,
    ['%'] = CR_HTTP_TOKEN | CR_HTTP_TARGET, ['^'] = CR_HTTP_TOKEN | CR_HTTP_TARGET,
    ['`'] = CR_HTTP_TOKEN | CR_HTTP_TARGET, ['|'] = CR_HTTP_TOKEN | CR_HTTP_TARGET,
    [':'] = CR_HTTP_TARGET | CR_HTTP_WORKER_ID,
    ['('] = CR_HTTP_TARGET | CR_HTTP_HOST, [')'] = CR_HTTP_TARGET | CR_HTTP_HOST,
    [','] = CR_HTTP_TARGET | CR_HTTP_HOST, [';'] = CR_HTTP_TARGET | CR_HTTP_HOST,
    ['='] = CR_HTTP_TARGET | CR_HTTP_HOST,
    ['/'] = CR_HTTP_TARGET, ['@'] = CR_HTTP_TARGET, ['['] = CR_HTTP_TARGET, [']'] = CR_HTTP_TARGET,
    ['{'] = CR_HTTP_TARGET, ['}'] = CR_HTTP_TARGET,
};
#undef CR_ALPHA
#undef CR_HEXALPHA
#undef CR_TTH

/* How many leading bytes are of one of the classes. */
static inline size_t cr_http_run(const uint8_t *bytes, size_t count, uint8_t classes) {
    size_t at = 0;
    while (at < count && (cr_http_class[bytes[at]] & classes)) at++;
    return at;
}

static inline int cr_http_is(uint8_t byte, uint8_t classes) {
    return (cr_http_class[byte] & classes) != 0;
}

/* ---- masks: one bit per byte of a block of 64 --------------------------------------------------------------- */

/* For the parts of the inner loop: the mask must stay in a register. */
#define CR_HTTP_INLINE static inline __attribute__((always_inline))

/* A window of 64 bytes that only moves forward. */
struct cr_http_cursor {
    const uint8_t *bytes;
    uint32_t count, base;
    uint64_t control; /* 0x00-0x1f without tab, and 0x7f */
};

#if defined(__SSE2__)
typedef uint8_t cr_u8x16 __attribute__((vector_size(16)));
typedef char cr_i8x16 __attribute__((vector_size(16)));

CR_HTTP_INLINE cr_u8x16 cr_http_load16(const uint8_t *from) {
    cr_u8x16 value;
    memcpy(&value, from, 16);
    return value;
}

#define CR_HTTP_BITS(vector) ((uint32_t)(uint16_t)__builtin_ia32_pmovmskb128((cr_i8x16)(vector)))

CR_HTTP_INLINE uint64_t cr_http_controls(const uint8_t *from) {
    uint64_t controls = 0;
    for (int part = 0; part < 4; part++) {
        cr_u8x16 v = cr_http_load16(from + 16 * part);
        cr_u8x16 c = (cr_u8x16)((v < 0x20) & (v != 0x09)) | (cr_u8x16)(v == 0x7f);
        controls |= (uint64_t)CR_HTTP_BITS(c) << (16 * part);
    }
    return controls;
}
#else
CR_HTTP_INLINE uint64_t cr_http_controls(const uint8_t *from) {
    uint64_t controls = 0;
    for (int at = 0; at < 64; at++)
        controls |= (uint64_t)((from[at] < 0x20 && from[at] != 0x09) || from[at] == 0x7f) << at;
    return controls;
}
#endif

/* Moves the window to the block at `base` < count; bits past the end are zero. */
CR_HTTP_INLINE void cr_http_window(struct cr_http_cursor *cursor, uint32_t base) {
    cursor->base = base;
    if (cursor->count - base >= 64) {
        cursor->control = cr_http_controls(cursor->bytes + base);
    } else if (cursor->count >= 64) { /* the last 64 bytes, shifted into place */
        cursor->control = cr_http_controls(cursor->bytes + cursor->count - 64) >> (base + 64 - cursor->count);
    } else {
        uint8_t block[64];
        memset(block, 'x', sizeof block);
        memcpy(block, cursor->bytes + base, cursor->count - base);
        cursor->control = cr_http_controls(block);
    }
}

CR_HTTP_INLINE int cr_http_is_crlf(const uint8_t *from) {
    uint16_t pair, crlf;
    memcpy(&pair, from, 2);
    memcpy(&crlf, "\r\n", 2);
    return pair == crlf;
}

/* Index of the first control byte at or after `from` >= base; count where there is none. */
CR_HTTP_INLINE uint32_t cr_http_next(struct cr_http_cursor *cursor, uint32_t from) {
    if (from >= cursor->count) return cursor->count;
    uint32_t ahead = from - cursor->base;
    if (ahead >= 64) {
        cr_http_window(cursor, cursor->base + (ahead & ~63u));
        ahead &= 63;
    }
    uint64_t mask = cursor->control >> ahead;
    while (mask == 0) {
        if (cursor->count - cursor->base <= 64) return cursor->count;
        cr_http_window(cursor, cursor->base + 64);
        from = cursor->base;
        mask = cursor->control;
    }
    return from + (uint32_t)__builtin_ctzll(mask);
}

/* Index of the first colon in [from, end); end where there is none. */
CR_HTTP_INLINE uint32_t cr_http_colon(const uint8_t *bytes, uint32_t count, uint32_t from, uint32_t end) {
#if defined(__SSE2__)
    if (count - from >= 16) {
        uint32_t colons = CR_HTTP_BITS(cr_http_load16(bytes + from) == ':');
        if (colons) {
            uint32_t at = from + (uint32_t)__builtin_ctz(colons);
            return at < end ? at : end;
        }
        from += 16;
    }
#endif
    (void)count;
    while (from < end && bytes[from] != ':') from++;
    return from < end ? from : end;
}

/* ---- known names ------------------------------------------------------------------------------------------------ */

/* In the order of KnownHeader.swift. */
static const uint8_t cr_http_known_name[CR_HTTP_KNOWN_COUNT][CR_HTTP_KNOWN_NAME_BYTES_MAX] = {
    "host", "connection", "content-length", "transfer-encoding", "expect", "content-type",
    "x-request-id", "x-worker-id", "x-worker-token", "x-ops-token", "x-ssr-token", "x-api-key",
    "authorization", "traceparent", "tracestate", "accept", "accept-encoding", "accept-language",
    "content-encoding", "origin", "if-none-match", "user-agent", "x-forwarded-for",
    "access-control-request-method", "access-control-request-headers", "cache-control", "upgrade",
};
static const uint8_t cr_http_known_length[CR_HTTP_KNOWN_COUNT + 1] = { /* the last is no name: empty slots */
    4, 10, 14, 17, 6, 12, 12, 11, 14, 11, 11, 9, 13, 11, 10, 6, 15, 15, 16, 6, 13, 10, 15, 29, 30, 13, 7, 0,
};
/* Slot (2 x length + third byte + 37 x fourth byte from the end) % 64 holds the only name that can be there. */
static const uint8_t cr_http_known_slot[64] = {
    27, 25, 18,  0, 27, 22,  1,  7, 27, 27,  5, 27, 20, 27,  6, 27,
     9, 27, 12, 24, 10, 27, 27, 27, 27, 27, 27, 27, 21, 27,  8, 27,
    27, 23, 19, 27, 27, 27, 27, 27, 27, 27, 17, 27,  4, 27, 27, 26,
     2, 13, 27, 27, 11, 16, 27,  3, 27, 14, 27, 27, 27, 27, 15, 27,
};

/* The index of a name without control bytes, in any case; -1 where it is none of them. `readable` bytes from `name` on
 * may be read. OR 0x20 lowers letters; the only other bytes that it turns into one of these names' are controls. */
CR_HTTP_INLINE int cr_http_known_index(const uint8_t *name, uint32_t length, uint32_t readable) {
    if (length - 4 > CR_HTTP_KNOWN_NAME_BYTES_MAX - 4) return -1; /* below 4 too: it wraps */
    uint32_t slot = (2 * length + (name[2] | 0x20u) + 37 * (name[length - 4] | 0x20u)) & 63;
    uint8_t index = cr_http_known_slot[slot];
    if (cr_http_known_length[index] != length) return -1;
    const uint8_t *known = cr_http_known_name[index];
#if defined(__SSE2__)
    if (readable >= 32) {
        uint32_t low = CR_HTTP_BITS((cr_http_load16(name) | 0x20) == cr_http_load16(known));
        uint32_t high = CR_HTTP_BITS((cr_http_load16(name + 16) | 0x20) == cr_http_load16(known + 16));
        uint32_t wanted = length == 32 ? ~0u : (1u << length) - 1;
        return ((low | high << 16) & wanted) == wanted ? index : -1;
    }
#endif
    for (uint32_t at = 0; at < length; at++)
        if ((name[at] | 0x20) != known[at]) return -1;
    return index;
}

/* ---- the head --------------------------------------------------------------------------------------------------- */

struct cr_http_line {
    struct cr_http_range method, target;
    uint32_t query_mark;   /* offset of the first '?', 0 where there is none */
    uint32_t minor;        /* HTTP/1.minor; above 1 counts as 1 (RFC 9110 2.5) */
    uint32_t at;           /* DONE: where the fields start; else: the byte that is wrong */
};

/* Scans `[CRLF] method SP target SP version CRLF` from offset 0. RFC 9112 sections 2.2 and 3. */
static inline int cr_http_scan_line(
    const uint8_t *bytes, uint32_t count, uint32_t target_max, struct cr_http_line *line) {
    static const char shape[] = "HTTP/0.0";
    uint32_t at = 0;
    if (count > 0 && bytes[0] == '\r') { /* one empty line before the request is forgiven */
        if (count < 2) return CR_HTTP_MORE;
        line->at = 0;
        if (bytes[1] != '\n') return CR_HTTP_BARE_CR;
        at = 2;
    }
    uint32_t start = at;
    uint32_t room = count - start < CR_HTTP_METHOD_BYTES_MAX + 1 ? count - start : CR_HTTP_METHOD_BYTES_MAX + 1;
    at += (uint32_t)cr_http_run(bytes + start, room, CR_HTTP_TOKEN);
    line->at = at;
    line->method = (struct cr_http_range){start, at - start};
    if (at - start > CR_HTTP_METHOD_BYTES_MAX) return CR_HTTP_METHOD_TOO_LONG;
    if (at == count) return CR_HTTP_MORE;
    if (bytes[at] == '\n') return CR_HTTP_BARE_LF;
    if (at == start || bytes[at] != ' ') return CR_HTTP_REQUEST_LINE;

    start = ++at;
    uint32_t scan_end = count - start > target_max ? start + target_max + 1 : count;
    at += (uint32_t)cr_http_run(bytes + at, scan_end - at, CR_HTTP_TARGET);
    line->query_mark = 0;
    if (at < scan_end && bytes[at] == '?') {
        line->query_mark = at;
        do {
            at++;
            at += (uint32_t)cr_http_run(bytes + at, scan_end - at, CR_HTTP_TARGET);
        } while (at < scan_end && bytes[at] == '?');
    }
    line->at = at;
    line->target = (struct cr_http_range){start, at - start};
    if (at - start > target_max) return CR_HTTP_TARGET_TOO_LONG;
    if (at == count) return CR_HTTP_MORE;
    if (bytes[at] == '\n') return CR_HTTP_BARE_LF;
    if (bytes[at] == '\r') return CR_HTTP_VERSION_MALFORMED; /* HTTP/0.9 */
    if (bytes[at] != ' ' || at == start) return CR_HTTP_TARGET_CHARACTER;

    start = ++at;
    for (uint32_t in = 0; in < 8; in++, at++) {
        line->at = at;
        if (at == count) return CR_HTTP_MORE;
        uint8_t digit = (uint8_t)(bytes[at] - '0');
        if (shape[in] == '0' ? digit > 9 : bytes[at] != (uint8_t)shape[in]) return CR_HTTP_VERSION_MALFORMED;
    }
    line->at = at;
    if (at == count) return CR_HTTP_MORE;
    if (bytes[at] == '\n') return CR_HTTP_BARE_LF;
    if (bytes[at] != '\r') return CR_HTTP_VERSION_MALFORMED;
    if (at + 1 == count) return CR_HTTP_MORE;
    if (bytes[at + 1] != '\n') return CR_HTTP_BARE_CR;
    line->at = start;
    if (bytes[start + 5] != '1') return CR_HTTP_VERSION_UNSUPPORTED;
    line->minor = bytes[start + 7] == '0' ? 0 : 1;
    line->at = at + 2;
    return CR_HTTP_DONE;
}

struct cr_http_fields {
    uint32_t count;    /* of fields written */
    uint32_t repeated; /* bit per known name that came more than once; `known` holds its first */
    uint32_t at;       /* DONE: first byte after the head; else: the byte that is wrong */
};

/* Names the fault of a line in [start, end) that has no token before a colon (which is at `colon`, or end). */
static inline int cr_http_line_fault(
    const uint8_t *bytes, uint32_t start, uint32_t colon, uint32_t end, uint32_t *fault_at) {
    *fault_at = start + (uint32_t)cr_http_run(bytes + start, colon - start, CR_HTTP_TOKEN);
    int blank = bytes[*fault_at] == ' ' || bytes[*fault_at] == '\t';
    if (blank && *fault_at == start) return CR_HTTP_FOLDED;
    if (colon == end) return CR_HTTP_NO_COLON;
    uint32_t rest = *fault_at;
    while (rest < colon && (bytes[rest] == ' ' || bytes[rest] == '\t')) rest++;
    return blank && rest == colon ? CR_HTTP_SPACE_BEFORE_COLON : CR_HTTP_NAME_INVALID;
}

/* Names the fault of a control byte where none may be. */
static inline int cr_http_control_fault(uint8_t byte) {
    if (byte == '\n') return CR_HTTP_BARE_LF;
    return byte == '\r' ? CR_HTTP_BARE_CR : CR_HTTP_CONTROL_CHARACTER;
}

/* Scans field lines from `from` to the blank line that ends them. `fields` has room for fields_max; `known` for one
 * range (of the value) per known name, all zero before. `bytes_max` bounds the section, the blank line included.
 * Where a line starts depends on the control masks alone, so that the processor works on several lines at once; not
 * inlined into Swift, where it would compete for registers. */
__attribute__((noinline)) static inline int cr_http_scan_fields(
    const uint8_t *bytes, uint32_t count, uint32_t from, uint32_t bytes_max, uint32_t fields_max,
    struct cr_http_field *fields, struct cr_http_range *known, struct cr_http_fields *out) {
    uint32_t written = 0, repeated = 0, start = from, fault_at = from;
    uint32_t end_max = count - from > bytes_max ? from + bytes_max : count;
    int result = CR_HTTP_MORE;
    out->at = from;
    if (from >= count) return result;
    struct cr_http_cursor cursor = {bytes, count, from, 0};
    cr_http_window(&cursor, from);
    for (;;) {
        uint32_t end = cr_http_next(&cursor, start);
        fault_at = end;
        if (end + 1 >= end_max) {
            if (end < end_max && bytes[end] != '\r') result = cr_http_control_fault(bytes[end]);
            break;
        }
        if (!cr_http_is_crlf(bytes + end)) { result = cr_http_control_fault(bytes[end]); break; }
        if (end == start) { fault_at = end + 2; result = CR_HTTP_DONE; break; }
        uint32_t colon = cr_http_colon(bytes, count, start, end);
        int index = colon < end ? cr_http_known_index(bytes + start, colon - start, count - start) : -1;
        if (index < 0) {
            uint32_t tokens = (uint32_t)cr_http_run(bytes + start, colon - start, CR_HTTP_TOKEN);
            if (tokens != colon - start || tokens == 0 || colon == end) {
                result = cr_http_line_fault(bytes, start, colon, end, &fault_at);
                break;
            }
        }
        if (written == fields_max) { fault_at = start; result = CR_HTTP_HEADERS_TOO_MANY; break; }
        uint32_t value = colon + 1, last = end;
        value += bytes[value] == ' '; /* bytes[end] is there, a CR, and ends both loops */
        if (bytes[value] <= ' ')
            while (bytes[value] == ' ' || bytes[value] == '\t') value++;
        if (bytes[last - 1] <= ' ')
            while (last > value && (bytes[last - 1] == ' ' || bytes[last - 1] == '\t')) last--;
        struct cr_http_range range = {value, last - value};
        fields[written++] = (struct cr_http_field){{start, colon - start}, range};
        if (index >= 0) {
            if (known[index].offset == 0) known[index] = range;
            else repeated |= 1u << index;
        }
        start = end + 2;
    }
    out->count = written;
    out->repeated = repeated;
    out->at = fault_at;
    if (result == CR_HTTP_MORE && count - from > bytes_max) {
        out->at = from + bytes_max;
        return CR_HTTP_HEADERS_TOO_LARGE;
    }
    return result;
}

/* Says whether a head that was incomplete before is worth parsing again: 1 once a blank line or something that is
 * refused lies in the bytes from *resume on; else 0 and *resume moves to where the next search starts. */
static inline int cr_http_head_ended(const uint8_t *bytes, uint32_t count, uint32_t *resume) {
    uint32_t at = *resume;
    if (at >= count) return 0;
    struct cr_http_cursor cursor = {bytes, count, at, 0};
    cr_http_window(&cursor, at);
    for (;;) {
        at = cr_http_next(&cursor, at);
        *resume = at;
        if (at >= count) return 0;
        if (bytes[at] != '\r') return 1;
        if (at + 1 >= count) return 0;
        if (bytes[at + 1] != '\n') return 1;
        if (at + 2 >= count) return 0;
        if (bytes[at + 2] == '\r') return at + 3 < count;
        at += 2;
    }
}

#endif
