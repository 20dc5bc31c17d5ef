/* SPDX-License-Identifier: MIT */
/*
 * The inside of /v1/events:
 *
 *     events            the routes, the tick, and who is served when
 *     event_snapshots   what there is, piece by piece; what one viewer alone is owed
 *     event_changes     what changed, to all viewers of a group or to one
 *     event_fences      what happens at fences
 *     event_expiry      who was silent for too long
 *     event_groups      viewers who see the same
 *     event_filter, event_ring, event_set
 *
 * Files call downward only.
 */
#ifndef HERD_EDGE_EVENTS_H
#define HERD_EDGE_EVENTS_H

#include "../server/area.h"
#include "event_filter.h"
#include "event_ring.h"
#include "event_set.h"
#include "http_impl.h"

#define HERD_EVENTS_A_PIECE 100 /* changes that are told of in one message at most */
/* Of an iteration of the loop: bytes sent, of changes and of fences each; who reports waits for no more than that. A call of
 * the kernel takes as long as many of them: two small messages, or a large one, are one iteration's. */
#define HERD_EVENTS_BYTES_A_TURN 16384
#define HERD_EVENTS_BYTES_A_CALL 8192

struct herd_events;
struct herd_viewers;

struct herd_viewer {
    struct herd_list link; /* in its group */
    struct herd_list all;  /* in events->viewers */
    struct herd_list owed; /* in events->owed, while it is: behind, paused, in a snapshot, or has lost fences */
    struct herd_viewers *group;
    struct herd_http_stream *stream;
    bool snapshot;  /* one is under way: */
    bool first;     /* its first piece is to come */
    uint32_t slot;  /* the next to look at */
    uint64_t since; /* the last change before it began */
    bool paused;    /* it is not sent changes as they come: what is behind `seen` is to follow */
    uint64_t seen;
    bool behind;          /* left out until it gets a new snapshot */
    uint64_t fences_lost; /* events of fences that it did not get, and is to be told of */
};

/* Viewers who see the same. */
struct herd_viewers {
    struct herd_list link, viewers;
    struct herd_events *events;
    struct herd_event_filter filter;
    const struct herd_identity *identity;
    struct herd_event_set shown; /* of a box */
    bool untracked;              /* `shown` is not complete: whoever is outside leaves */
    struct herd_block *block,
        *partial;                /* of what was prepared; the same without an id, during a snapshot. Or NULL */
    struct herd_list *viewer_at; /* who is sent that next; NULL: it is not put together */
    struct herd_buf fences;      /* messages of them, to be sent when those before have been */
    uint64_t fence_count, fences_lost; /* how many these are, and how many of them are missing */
    struct herd_list fencing;          /* in events->fencing, while there are any, or: */
    struct herd_list *fence_at;        /* who is sent this next; NULL: nobody is to be sent any */
    struct herd_block *fence_block;    /* NULL: all of them are lost */
    uint64_t block_count, block_lost;
};

/* What became of a client. */
struct herd_change {
    struct herd_span id;         /* of the ring */
    size_t feature, feature_len; /* in events->features; 0 bytes: it is gone */
    double lat, lon;
};

struct herd_events {
    struct herd_http *http;
    struct event *tick, *pump;
    struct herd_fence_sink sink; /* while somebody looks */
    struct herd_watch *watch;    /* NULL: nobody looks */
    bool restricted;             /* by identities, and */
    int64_t expire_ms;           /* what hello says, while somebody looks */
    struct herd_list groups;
    size_t group_count;
    struct herd_list viewers; /* whose turn it is to get a heartbeat comes first */
    size_t viewer_count;
    size_t beats, beat_parts; /* heartbeats that are due; and in HEARTBEAT_TICKS-ths of one, what is not yet */
    struct herd_list owed;    /* viewers: whose turn it is to be served comes first */
    size_t owed_count;
    size_t owed_passed;       /* how many of them in a row did not take more */
    struct herd_list fencing; /* groups with events of fences to be sent */
    struct herd_event_ring ring;
    uint64_t key[2];
    size_t shown_count;
    struct herd_change *changes; /* room for HERD_EVENTS_A_PIECE while somebody looks */
    size_t change_count;
    bool ticking;                  /* the work of a tick is under way: */
    size_t changes_left;           /* that it may still look at */
    uint64_t before;               /* the last change before those of `changes` */
    uint64_t prepare_at;           /* the next that they lack; all before ring.next are to be in them */
    struct herd_list *group_at;    /* of `groups`: who is told of them next */
    struct herd_buf features, out; /* of `changes`; of a message */
    /* Records accepted from `expired_from_ns` up to `expired_to_ns` are told of as expired when their slot comes. */
    int64_t expired_from_ns, expired_to_ns;
    uint32_t expiry_slot, expiry_left; /* the next, and how many this tick may still look at */
    size_t expired_left;               /* how many it may still tell of */
};

/* ---- event_groups.c ---- */

bool herd_viewers_may_see(const struct herd_viewers *group, struct herd_span id);
/* The client is shown from now on. */
void herd_viewers_show(struct herd_viewers *group, struct herd_span id);
/* Whether a client that does not pass the filter was shown, and is not any more. */
bool herd_viewers_hide(struct herd_viewers *group, const struct herd_change *change);
/* The group of a filter, which it takes. NULL: no memory; the filter is freed. */
struct herd_viewers *herd_viewers_join(struct herd_events *events, struct herd_event_filter *filter,
                                       const struct herd_identity *identity);
/* A viewer joins a group. */
void herd_viewers_add(struct herd_viewers *group, struct herd_viewer *viewer);
/* A viewer is owed something of its own; it is not. */
void herd_viewer_owe(struct herd_viewer *viewer);
void herd_viewer_owe_nothing(struct herd_viewer *viewer);
void herd_viewer_fall_behind(struct herd_viewer *viewer);
/* Frees a viewer, and its group if it was the last. */
void herd_viewer_free(struct herd_viewer *viewer);
/* Who was not sent its message yet is not sent it any more. */
void herd_viewers_drop_message(struct herd_viewers *group);
void herd_viewers_drop_fences(struct herd_viewers *group);
void herd_viewers_all_behind(struct herd_viewers *group);
void herd_events_all_behind(struct herd_events *events);
/* Whether what a viewer has not taken yet is at most pause_bytes / part. */
bool herd_viewer_takes_more(const struct herd_viewer *viewer, size_t part);
/* Sends bytes; without memory the viewer is behind. */
void herd_viewer_send(struct herd_viewer *viewer, struct herd_span bytes);

/* ---- event_expiry.c ---- */

/* Begins with what is expired now: nobody was shown it. */
void herd_event_expiry_begin(struct herd_events *events);
/* A tick, which tells of `most`. */
void herd_event_expiry_tick(struct herd_events *events, size_t most);
/* Notes clients in the ring that expired, up to `most`, and of a piece of the slots of this tick. */
void herd_event_expiry_take(struct herd_events *events, size_t most);

/* ---- event_changes.c ---- */

/* Begins a message; ends it, `change` is what it brings the viewer up to. HERD_E_NOMEM. */
int herd_event_put_name(struct herd_buf *out, const char *name);
int herd_event_put_id(const struct herd_events *events, struct herd_buf *out, uint64_t change);
/* Where a stream that was cut left off. False: it cannot go on there. */
bool herd_event_read_id(const struct herd_events *events, struct herd_span text, uint64_t *ret_change);
/* A tick. */
void herd_event_changes_begin(struct herd_events *events);
/* Some of the work of a tick: reads what changed, puts it together, or sends it to some. False: there is none left. */
bool herd_event_changes_go_on(struct herd_events *events);
/* Some of what a paused viewer has not seen; it is no longer paused where that is all. */
void herd_event_changes_send_missed(struct herd_viewer *viewer);

/* ---- event_fences.c ---- */

/* Puts an event into the messages of groups; whether any wants it. */
bool herd_event_fence_take(struct herd_events *events, const struct herd_fence_event *event);
/* Sends some of the viewers what was put together; whether some are left. */
bool herd_event_fences_go_on(struct herd_events *events);
/* Tells one how many events it did not get, if it takes more again; whether it was told. */
bool herd_event_fences_tell_lost(struct herd_viewer *viewer);

/* ---- event_snapshots.c ---- */

void herd_event_snapshot_begin(struct herd_viewer *viewer);
/* What one viewer alone is owed, as much as it takes; returns what of `left`, the slots that may be looked at, is left. */
uint32_t herd_viewer_serve(struct herd_viewer *viewer, uint32_t left);
/* Whether there is something; and whether it would take it now. */
bool herd_viewer_is_owed(const struct herd_viewer *viewer);
bool herd_viewer_waits(const struct herd_viewer *viewer);

#endif
