/* SPDX-License-Identifier: MIT */
/* The objects of a keeper. What each file offers is in its own header. */
#ifndef HERD_CORE_KEEPER_IMPL_H
#define HERD_CORE_KEEPER_IMPL_H

#include "../base/saturate.h"
#include "../node/node_impl.h"
#include "keeper.h"

#define HERD_KEEPER_WINDOW    2 /* batches under way */
#define HERD_KEEPER_NOTICES   8
#define HERD_KEEPER_MARGIN_NS INT64_C(60000000000) /* of what servers say by their wall clocks */
/* Everything is written once more an hour after the start, for a clock that was set back in the last life, as long after a server
 * was adopted, for it may have had one, and each week. */
#define HERD_KEEPER_SOON_FULL_NS INT64_C(3600000000000)
#define HERD_KEEPER_FULL_NS      INT64_C(604800000000000)
#define HERD_KEEPER_NONE         UINT16_MAX

/* Where the records of a batch come from, the first first. */
enum herd_keeper_source {
    HERD_KEEPER_HALF,      /* of a batch that was BAD */
    HERD_KEEPER_PASS,      /* changes */
    HERD_KEEPER_CATCH_UP,  /* a scan for what somebody accepted lately and perhaps did not write */
    HERD_KEEPER_FULL,      /* a scan for everything, slowly */
    HERD_KEEPER_HEARTBEAT, /* none: the writer's row alone */
};

/*
 * The changes that were there when the pass began. The reader's bits become those of the pass, and it gets empty ones:
 * what changes meanwhile belongs to the next pass. A record is written with the value that it has when it is its turn,
 * so that a change which came in between is done with too.
 */
struct herd_keeper_pass {
    uint64_t *bits; /* all zero while there is no pass */
    uint32_t cap;   /* slots they are for */
    uint32_t at;    /* no bit is set before this slot */
    size_t pending; /* bits set */
    bool active;
    bool clean;  /* nothing of it failed */
    bool owed;   /* when it began, something besides was owed of what was accepted before */
    bool covers; /* when it ends, all that was accepted before it began is written, and may be said to be */
    bool last;   /* it began after herd_keeper_stop */
    struct herd_now begun;
};

/* All slots there were when it began are looked at once. */
struct herd_keeper_scan {
    uint32_t at, left;
    bool holds; /* the database lacks something that was accepted before written_until_ns says */
};

struct herd_keeper_item {
    size_t text; /* offset of id, server, diff, position, time in `texts` */
    uint32_t id, server, diff, position, time;
    int64_t time_ns, accepted_ns, effective_ns, expires_ns;
};

/* What items are sorted by: the first bytes of the id behind those that all have, then the whole of it. */
struct herd_keeper_key {
    uint64_t prefix;
    uint32_t item;
};

/* A batch that is put together, or that is ready to be taken. */
struct herd_keeper_gather {
    enum herd_keeper_source source;
    bool holds;           /* of the scan they come from */
    size_t count, sorted; /* items; keys of those sorted already come first */
    size_t common;        /* bytes that all ids begin with */
    struct herd_keeper_item *items;
    struct herd_keeper_key *keys, *merged;
    uint32_t *slots;
    struct herd_buf texts;
    struct herd_database_row *rows;
    size_t row_count;
};

struct herd_keeper_batch {
    bool used, sent;
    bool read; /* what servers say is read before it is written, on the same connection */
    enum herd_keeper_source source;
    bool holds;
    uint64_t ticket, sequence;
    uint32_t *slots;
    size_t count;
    int64_t until_ns; /* what it says of written_until_ns */
    int64_t sent_ns;
};

/* Batches that were BAD, cut in halves: the last range is the next. */
struct herd_keeper_halves {
    uint32_t *slots;
    size_t count;
    size_t range[64]; /* where each begins */
    size_t ranges;
};

/* Another server of the herd. */
struct herd_keeper_server {
    uint16_t name; /* number in the store, with a reference */
    bool has_row;  /* in the database, when it was looked at last */
    bool seen;     /* in the answer that is being read */
    bool adopted;
    bool judge; /* whether it is to be adopted is still to be decided */
    /* The database lost its memory since it was last adopted: its row may have been written before it noticed. */
    bool doubted;
    uint64_t hash;
    uint64_t incarnation, sequence;
    int64_t written_until_ns, age_ns;
    int64_t missing_ns;  /* without a row: since when, steady */
    int64_t released_ns; /* when it was seen to write again, steady; INT64_MIN: never */
    int64_t from_ns;     /* catching up: its records accepted from then on; INT64_MAX: none */
};

struct herd_keeper_notice {
    const char *text;
    size_t len;
    char detail[HERD_NOTICE_DETAIL_MAX];
};

enum herd_keeper_state { HERD_KEEPER_IDLE, HERD_KEEPER_CONNECTING, HERD_KEEPER_CONNECTED };

struct herd_keeper {
    struct herd_node *node;
    struct herd_subscriber subscriber;
    struct herd_keeper_options options;
    struct herd_now now;
    uint64_t random;
    uint64_t next_ticket;
    int64_t expire_ns; /* as the node had it */

    /* connection */
    enum herd_keeper_state state;
    bool disconnect_due, connect_due, read_due;
    bool refused;
    bool rows_known;      /* those of this connection */
    uint64_t read_ticket; /* 0: none under way */
    unsigned failures;    /* in a row */
    int64_t retry_ns;     /* no attempt and no batch before */
    int64_t progress_ns;  /* something was begun with nothing under way, or something ended */
    int64_t next_read_ns, last_write_ns;
    int64_t correct_ns; /* its row says too much, and is written again at this time; INT64_MAX: it does not */
    /* Not before: a database that shows other rows than were written would be written to without a pause. */
    int64_t next_correct_ns;
    char server[64]; /* kind and version, cut */

    /* what an operator knows */
    const char *away; /* database_gone, database_refused; NULL: it is there */
    bool away_told;
    int64_t away_ns, there_ns;
    uint64_t away_count, dropped_count, adopted_count, returned_count;
    char away_detail[HERD_NOTICE_DETAIL_MAX];
    size_t away_len;
    struct herd_keeper_notice notices[HERD_KEEPER_NOTICES];
    size_t notice_first, notice_count;
    struct herd_keeper_notice lent;

    /* what is due */
    struct herd_keeper_pass pass;
    int64_t next_pass_ns;
    struct herd_keeper_scan catch_up, full;
    int64_t next_slow_ns, next_full_ns;
    int64_t full_from_ns;  /* a scan for everything rests until then, however urgent it is */
    int64_t wall_lead_ns;  /* the greatest wall - steady since the clock was set back */
    int64_t wall_least_ns; /* the least that the clock showed since the keeper was opened */

    /* batches */
    size_t limit; /* records of the next batch: less after failures */
    struct herd_keeper_gather gather;
    struct herd_keeper_batch batches[HERD_KEEPER_WINDOW];
    struct herd_keeper_batch *ready; /* to be taken as an effect; its rows are in `gather` */
    struct herd_keeper_halves halves;

    /* its own row */
    bool own_known; /* it was read once */
    uint64_t sequence;
    bool expected; /* the row has to be this one, or one of this life, and no less than what was acknowledged */
    uint64_t expected_incarnation, expected_sequence;
    uint64_t
        unverified_sequence; /* of a batch that was sent before the reading ahead of it was answered; 0: none */
    int64_t written_until_ns, acked_until_ns;
    int64_t hold_ns; /* written_until_ns stays until then: neighbours may still bring what the last life accepted */
    int64_t own_from_ns; /* as herd_keeper_server.from_ns */
    struct herd_database_writer writer;

    /* other servers */
    struct herd_keeper_server *servers;
    size_t server_count, server_cap;
    uint16_t *by_name; /* number of a name -> index in `servers`, or NONE */
    size_t by_name_cap;
    size_t judge_at; /* the next to be judged */
    bool names_due;  /* names of the store without a row are to be looked for */
    size_t names_at;
    uint64_t own_hash;

    /* the end */
    bool stopping, stop_done;
    unsigned stop_failures;

    unsigned dropped_run; /* records that were not taken, one after the other, none between them */

    struct herd_keeper_stats stats;
};

/* Whether this server writes what the one with this number accepted. */
static inline const struct herd_keeper_server *herd_keeper_adopted(const struct herd_keeper *keeper, unsigned name)
{
    if (name >= keeper->by_name_cap || keeper->by_name[name] == HERD_KEEPER_NONE)
        return NULL;
    const struct herd_keeper_server *server = &keeper->servers[keeper->by_name[name]];
    return server->adopted ? server : NULL;
}

#endif
