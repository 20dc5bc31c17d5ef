/* SPDX-License-Identifier: MIT */
/*
 * The adapter inside: a connection, what is asked over it, and what comes back.
 *
 *     driver functions -> operations, in order -> out -> socket -> reader -> the oldest command's operation -> events
 *
 * An operation is one or more commands. The next one's are sent when all of the one before are; what is told is told
 * in order. A write has all its rows acknowledged before it sends the last call, which has the writer in it, and no
 * other write is sent meanwhile: what the writer says of itself is then true whatever failed.
 *
 * A page is keys of SCAN and their values of MGET, with which the next SCAN is sent; the page behind it is asked for before
 * a page is told, so that Redis works at it meanwhile. It is told in parts of as many rows as are asked for. No more than
 * that is read ahead.
 */
#ifndef HERD_REDIS_IMPL_H
#define HERD_REDIS_IMPL_H

#include "dsn.h"
#include "fault.h"

#include <herd/redis.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <sys/socket.h>

#define HERD_REDIS_OPERATIONS_MAX 256  /* begun and not yet told */
#define HERD_REDIS_SENT_MAX       1024 /* commands under way */
#define HERD_REDIS_ADDRESSES_MAX  16
#define HERD_REDIS_INPUT_BYTES    65536
/* One reply: 1 000 ids of the longest kind. */
#define HERD_REDIS_REPLY_MAX_BYTES (96u << 20)
#define HERD_REDIS_ELEMENTS_MAX    65536 /* of all arrays in it */
/* SCANs of one reading, each of which looks at a thousand places of the table: what has more has no end. */
#define HERD_REDIS_SCANS_MAX 4000000

struct evdns_base;
struct evdns_getaddrinfo_request;

enum herd_redis_kind { HERD_REDIS_SETUP, HERD_REDIS_WRITE, HERD_REDIS_WRITERS, HERD_REDIS_PAGE, HERD_REDIS_FIND };

/* Where in `bytes` a command is. */
struct herd_redis_slice {
    size_t from, len;
};

struct herd_redis_operation {
    struct herd_redis_operation *next;
    enum herd_redis_kind kind;
    uint64_t ticket;
    struct herd_buf bytes; /* its commands: kept until they are answered, to be sent once more after NOSCRIPT */
    struct herd_redis_slice *commands;
    size_t count, sent, answered;
    size_t held;    /* so many at the end wait until all before them succeeded: a write's last one */
    bool load;      /* the script is to be sent first */
    size_t loading; /* scripts under way for it: so many answers come before its own */
    bool noscript;  /* one was not known; when all are answered the script is sent, and they again */
    bool again;     /* that was done */
    bool done;      /* the result is there, and told when those before were */
    enum herd_database_result result;
    char message[HERD_REDIS_MESSAGE_MAX]; /* "" with DONE */
    redisReply *replies[2];               /* what the event is made of */
    size_t id_len;                        /* FIND: the id is the end of the command */
    size_t told;                          /* PAGE: keys, whose rows were told */
    bool lent, dropped;                   /* PAGE: rows are being told; it is to be freed behind that */
    bool stale;                           /* PAGE: reading began anew meanwhile */
};

struct herd_database {
    struct event_base *base;
    const struct herd_database_events *events;
    void *ctx;
    struct herd_redis_dsn dsn;
    struct herd_buf prefix; /* "herd:{NAME}:" */
    bool geo;

    /* The way to a connection. */
    struct evdns_base *dns;
    struct evdns_getaddrinfo_request *request;
    struct sockaddr_storage addresses[HERD_REDIS_ADDRESSES_MAX];
    socklen_t address_lens[HERD_REDIS_ADDRESSES_MAX];
    size_t address_count, address_at;
    size_t attempt;      /* the first address is another each time */
    struct event *later; /* tells a failure that came inside of a function */
    char later_message[HERD_REDIS_MESSAGE_MAX];

    int fd; /* -1: none */
    bool connecting, ready;
    uint64_t connection; /* counts: what was told may have ended it */
    struct event *readable, *writable;
    redisReader *reader;
    size_t reply_bytes, reply_elements; /* of the reply that is not whole yet */
    redisReplyObjectFunctions functions;
    void *(*create_array)(const redisReadTask *, int);
    char *input;
    struct herd_buf out;
    size_t out_sent;

    struct herd_redis_operation *first, *last;
    size_t operation_count;
    struct herd_redis_operation *under_way[HERD_REDIS_SENT_MAX]; /* of each command sent, in order: a ring */
    size_t under_way_first, under_way_count;

    char sha[41];
    char server[80]; /* kind and version */

    /* Pages. */
    char cursor[24];                    /* of SCAN */
    bool scanned;                       /* to the end */
    unsigned scans;                     /* asked for since the reading began */
    redisReply *keys;                   /* SCAN's answer of the next page; NULL: none */
    struct herd_redis_operation *page;  /* under way; NULL: none */
    struct herd_redis_operation *ahead; /* done, and not told, or in part; NULL: none */
    struct herd_redis_operation *next;  /* done, behind that one; NULL: none */
    struct event *page_due;             /* tells it */
    bool paging;                        /* one is asked for */
    uint64_t page_ticket;
    size_t page_limit;
};

/* ---- reader ---- */
/* Makes the reader of replies, which refuses those that are too long. False: no memory. */
bool herd_redis_reader_open(struct herd_database *database);

/* ---- operation ---- */
/* A new one, which is not in the list yet. NULL: no memory. */
struct herd_redis_operation *herd_redis_operation_new(enum herd_redis_kind kind, uint64_t ticket,
                                                      size_t commands_max);
void herd_redis_operation_free(struct herd_redis_operation *operation);
/* Begins a command at the end of `bytes`, or ends it. */
void herd_redis_command_begin(struct herd_redis_operation *operation);
void herd_redis_command_end(struct herd_redis_operation *operation);
/* Puts it behind the others; then herd_redis_conn_flush. */
void herd_redis_operation_add(struct herd_database *database, struct herd_redis_operation *operation);
/* It is over with that result; `message` may be of the operation itself, NULL: none. */
void herd_redis_operation_finish(struct herd_redis_operation *operation, enum herd_database_result result,
                                 const char *message);

/* ---- encode ---- */
/* The commands of each kind, in a new operation. HERD_E_NOMEM. */
int herd_redis_encode_setup(struct herd_database *database, struct herd_redis_operation **ret_operation);
int herd_redis_encode_write(struct herd_database *database, uint64_t ticket, const struct herd_database_row *rows,
                            size_t count, const struct herd_database_writer *writer,
                            struct herd_redis_operation **ret_operation);
int herd_redis_encode_writers(struct herd_database *database, uint64_t ticket,
                              struct herd_redis_operation **ret_operation);
int herd_redis_encode_find(struct herd_database *database, uint64_t ticket, struct herd_span id,
                           struct herd_redis_operation **ret_operation);
/* It takes database->keys, if there are some. */
int herd_redis_encode_page(struct herd_database *database, struct herd_redis_operation **ret_operation);
/* In place of the commands of a page: the next SCAN, or the values of these keys and the next SCAN. */
int herd_redis_encode_scan(struct herd_database *database, struct herd_redis_operation *page);
int herd_redis_encode_mget(struct herd_database *database, struct herd_redis_operation *page,
                           const redisReply *keys);

/* ---- answer ---- */
/* One more command of `operation` is answered with `reply` (owned by it now). HERD_E_NOMEM. */
int herd_redis_answer(struct herd_database *database, struct herd_redis_operation *operation, redisReply *reply);

/* ---- setup ---- */
int herd_redis_setup_answer(struct herd_database *database, struct herd_redis_operation *setup,
                            const redisReply *reply);

/* ---- tell ---- */
/* Tells the event of an operation, and frees it. */
void herd_redis_tell(struct herd_database *database, struct herd_redis_operation *operation);

/* ---- pages ---- */
/* Begins the next page that is not under way; then herd_redis_conn_flush. HERD_E_NOMEM. */
int herd_redis_pages_begin(struct herd_database *database);
/* What was read ahead is forgotten: the next page is the first. */
void herd_redis_pages_rewind(struct herd_database *database);
/* A page under way is done. Its owner from now on. */
void herd_redis_pages_done(struct herd_database *database, struct herd_redis_operation *page);
/* Tells the page that was read ahead; then herd_redis_conn_flush. */
void herd_redis_pages_tell(struct herd_database *database);

/* ---- conn ---- */
/* Begins to connect to the addresses there are; what comes of it is told from the loop. */
void herd_redis_conn_start(struct herd_database *database);
/* Closes, without an event; what was under way is over. Nothing is being looked up. */
void herd_redis_conn_drop(struct herd_database *database);
/* What was begun is told LOST, then `disconnected`; from the loop only. */
void herd_redis_conn_fail(struct herd_database *database, enum herd_database_result result, const char *message);
/* The same, in the next turn of the loop. */
void herd_redis_conn_fail_later(struct herd_database *database, const char *message);
/* What may be sent is sent, in the next turn of the loop. */
void herd_redis_conn_flush(struct herd_database *database);

/* ---- dial ---- */
/* Finds the addresses, then herd_redis_conn_start. HERD_E_NOMEM. */
int herd_redis_dial(struct herd_database *database);
void herd_redis_dial_cancel(struct herd_database *database);

#endif
