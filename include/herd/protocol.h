/* SPDX-License-Identifier: MIT */
/*
 * Lines of the protocol, parsed and formatted with no input or output.
 *
 *     struct herd_span input = herd_span_of("IAMAT kiwi +34.0-118.4 1621464827.9\n"), line;
 *     struct herd_command command;
 *     size_t seen = 0;
 *     while (herd_line_next(&input, &seen, 65536, &line) == HERD_LINE)
 *         if (herd_command_parse(line, &command) == HERD_IAMAT)
 *             remember(command.id, command.position, command.time);
 *
 * Everything is bytes: no locale, no character set. White space is space, TAB, CR, FF and VT; LF ends a
 * line. The rules are those of PROTOCOL.md.
 */
#ifndef HERD_PROTOCOL_H
#define HERD_PROTOCOL_H

#include <herd/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the lines between two servers. */
#define HERD_PROTOCOL_VERSION 2

enum herd_scan {
    HERD_LINE,          /* *ret_line is the next line, LF not included; *io_bytes begins behind its LF */
    HERD_LINE_MORE,     /* no LF yet: give all of *io_bytes again with more behind it */
    HERD_LINE_TOO_LONG, /* no LF within line_max_bytes */
};

/* Cuts one line off the front of *io_bytes. *io_seen remembers how much of an unfinished line was
 * already searched, so that work is linear however slowly the bytes come; start with 0. */
HERD_API enum herd_scan herd_line_next(struct herd_span *io_bytes, size_t *io_seen, size_t line_max_bytes,
                                       struct herd_span *ret_line);

enum herd_verb {
    HERD_INVALID, /* answered with "? " and a copy of the line */
    HERD_BLANK,   /* answered with nothing */
    HERD_IAMAT,   /* id, position, time, time_ns */
    HERD_WHATSAT, /* id, radius, bound */
    HERD_AT,      /* server, diff, id, position, time, time_ns: neighbours only */
    HERD_HELLO,   /* from, to, version, incarnation: neighbours only */
    HERD_REFUSE,  /* rest: neighbours only */
    HERD_PING,    /* neighbours only */
    HERD_PONG,    /* neighbours only */
    HERD_ROOT,    /* rest; this and the following compare what two neighbours know: PROTOCOL.md */
    HERD_PUSH,    /* nothing */
    HERD_SUMS,    /* rest */
    HERD_LIST,    /* rest */
    HERD_AUTH, /* args: the token, empty if the line is not of that form. Never shown, never answered with a copy */
    HERD_GONE, /* server, diff, id, time, time_ns, and an empty position: neighbours only */
    HERD_FORGET, /* id: deletes a client, where a server is told to take it */
    HERD_SEE,    /* host, port, bucket: a server's reply, the client is another herd's */
};

/* One parsed line. Spans point into the line; only the members named beside the verb are set. */
struct herd_command {
    enum herd_verb verb;
    struct herd_span id;       /* any bytes but white space, at least one */
    struct herd_span position; /* ISO 6709, checked */
    struct herd_span time;     /* POSIX seconds, checked */
    int64_t time_ns;           /* decimals beyond the ninth cut off */
    struct herd_span radius;   /* kilometres: digits [. digits], 0..50 exactly */
    unsigned bound;            /* 0..20 */
    struct herd_span server;   /* the server that took the report */
    struct herd_span diff;     /* its clock minus the client's: sign digits [. digits] */
    struct herd_span from, to; /* empty: missing, in a HELLO of another version */
    unsigned version;
    uint64_t incarnation;
    uint64_t expire_ms;    /* of HELLO; 0: never, or not said */
    uint64_t key_check;    /* of HELLO: follows from the herd's secret; 0: none */
    bool takes_gone;       /* of HELLO: the sender understands GONE */
    struct herd_span args; /* what follows the verb */
    struct herd_span host; /* 1 to HERD_HOST_MAX bytes of A-Z a-z 0-9 . - _ : % */
    uint16_t port;         /* not 0 */
    uint16_t bucket;       /* less than HERD_BUCKETS */
};

/* Parses one line (no LF). Never fails: what is not a command is HERD_INVALID. */
HERD_API enum herd_verb herd_command_parse(struct herd_span line, struct herd_command *ret_command);

/* Whether `name` can be a server's: 1 to HERD_NAME_MAX bytes of A-Z a-z 0-9 . _ - */
#define HERD_NAME_MAX 64
HERD_API bool herd_name_valid(struct herd_span name);

/* The longest host of a SEE. */
#define HERD_HOST_MAX 255

/* Each appends one line, LF included. HERD_E_NOMEM leaves `out` as it was. */
HERD_API int herd_format_at(struct herd_buf *out, struct herd_span server, struct herd_span diff,
                            struct herd_span id, struct herd_span position, struct herd_span time);
HERD_API int herd_format_gone(struct herd_buf *out, struct herd_span server, struct herd_span diff,
                              struct herd_span id, struct herd_span time);
HERD_API int herd_format_invalid(struct herd_buf *out, struct herd_span line);
HERD_API int herd_format_iamat(struct herd_buf *out, struct herd_span id, struct herd_span position,
                               struct herd_span time);
HERD_API int herd_format_whatsat(struct herd_buf *out, struct herd_span id, struct herd_span radius_km,
                                 unsigned bound);
HERD_API int herd_format_see(struct herd_buf *out, struct herd_span host, uint16_t port, unsigned bucket);
/* Of `expire_ms`, `key_check` and `takes_gone` are written those up to the last that is not 0. */
HERD_API int herd_format_hello(struct herd_buf *out, unsigned version, struct herd_span from, struct herd_span to,
                               uint64_t incarnation, uint64_t expire_ms, uint64_t key_check, bool takes_gone);

#ifdef __cplusplus
}
#endif
#endif
