/* SPDX-License-Identifier: MIT */
/*
 * A herd of real nodes in a world that a seed decides: time, bytes on their way, clients and misfortune.
 *
 *     model.c   what records there are, how they are ordered, what each node must hold: written anew, not shared
 *               with the library
 *     world.c   events in the order of time
 *     links.c   connections: made and broken, bytes on their way, what may be said
 *     arrive.c  bytes arrive at a node
 *     nodes.c   a node's turn: effects carried out, links filled; its start and its crash
 *     areas.c   where clients are, as some nodes follow it
 *     load.c    clients: what they say, and what they must be answered
 *     disk.c    disks, of nodes that keep a journal; files.h lets lib/edge write to them
 *     foreign.c neighbours that are no nodes: they speak the class protocol
 *     trust.c   identities and what each may; proofs of neighbours
 *     faults.c  misfortune, and its end
 *     check.c   what must be true at any moment, and at the end
 *     run.c     one seed from beginning to end
 *
 * A connection is a pair of byte queues, ordered and lossless until it breaks; then a random part of what was
 * on its way is lost, at any byte. Nothing here asks for the time or for randomness of its own.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "rng.h"

#include "journal_encoder.h"
#include "rate.h"

#include <herd/node.h>

#include <stdio.h>

#define NODES_MAX  24
#define PLAINS_MAX 3
#define ALL_MAX    (NODES_MAX + PLAINS_MAX)
#define CONNS_MAX  16384
#define US         INT64_C(1000)
#define MS         INT64_C(1000000)
#define SECOND     INT64_C(1000000000)
#define NO_VERSION (-1)

/* ---- alloc.c ---- */
struct sim_alloc {
    int64_t live;    /* blocks */
    uint64_t one_in; /* allocations fail with this chance; 0: never */
    uint64_t failed;
    struct rng rng;
};
extern struct sim_alloc sim_alloc;

/* ---- the model ---- */

/* A record that some node once made of a report: its AT line without LF, and the parts of that; or a tombstone, its
 * GONE line, with an empty place. */
struct version {
    uint32_t key;
    uint32_t len;
    struct herd_span part[5]; /* server, diff, id, place, time: into the world's texts */
    int32_t previous;         /* the one of the same client that was made known before it */
    uint64_t hash;
    int64_t accepted_ns;  /* its time plus its difference */
    int64_t effective_ns; /* its time, as far as it is believed; where records expire */
    uint32_t sent_calm;   /* how often it crossed a link while nothing else happened */
    bool calm, gone;
};

struct sim_key {
    char *id;
    uint32_t len;
    int32_t last; /* version made known */
};

struct sent {
    uint64_t what; /* connection, direction, version, sent or taken */
    uint32_t run, epoch;
};

struct model {
    struct version *versions;
    uint32_t count, cap;
    uint32_t *table; /* hash of the line -> version + 1 */
    uint32_t table_size;
    struct sim_key *keys;
    uint32_t key_count;
    char **texts; /* memory of the lines */
    struct sent *sent;
    uint32_t sent_size, sent_used, run;
    bool effective; /* records expire: the effective time comes first in their order */
};

/* ---- identities ---- */
#define IDENTITIES_MAX 8
#define RIGHTS_MAX     3
#define TOKENS_MAX     2
#define ADDRESSES      2
#define LATE_MAX       8
#define TOKEN_MARK     "herd_t"
#define TOKEN_SIZE     (sizeof TOKEN_MARK + 16)

struct sim_right {
    const char *at; /* in a client's id */
    uint32_t len;
    bool prefix;
};

struct sim_rights {
    struct sim_right list[RIGHTS_MAX];
    size_t count;
};

struct sim_identity {
    char name[16];
    bool certificate;
    struct sim_rights report, ask, delete;
    char tokens[TOKENS_MAX][TOKEN_SIZE];
    size_t token_count;
    int64_t per_second, burst; /* 0: no limit */
    size_t connections_max;    /* 0: no limit */
};

struct sim_bucket {
    int64_t per_second, burst;
    int64_t level_ns, at_ns; /* how full it was when; INT64_MAX: full */
};

/* ---- nodes and connections ---- */

struct end {
    struct conn *conn;
    int node; /* -1: a stranger, played by faults.c; from the world's count on: a plain neighbour */
    struct herd_session *session;
    struct herd_buf in; /* bytes for this end: shown to it, arrived or on their way */
    size_t shown;
    uint32_t frames; /* of a comparison, in `in` */
    bool eof;        /* behind `in` the other side is closed */
    bool torn;       /* `in` was cut short */
    bool closed, unopened, moving;
    struct herd_span proof; /* of a name, given to the session */
    bool keyless;           /* a stranger that does not say the key of the herd */
};

struct conn {
    bool used;
    uint32_t serial;
    uint32_t epoch;  /* frames of a comparison so far, written or taken */
    bool black_hole; /* nothing arrives at either end any more, and neither is told */
    struct end end[2];
};

/* ---- disk.c ---- */
#define DISK_FILES 8
#define DISK_NAMES 2
#define DISK_FDS   8

struct sim_file {
    struct herd_buf bytes;
    size_t synced; /* of them, on the disk */
    size_t parsed; /* of those, in the ledger of what is safe */
    size_t doubt;  /* what is behind this was to be cut off, and could not be; 0: nothing */
    bool spoiled;  /* a sync failed: what is behind `synced` never counts */
};

struct sim_disk {
    struct sim_file files[DISK_FILES];
    int names[DISK_NAMES], durable[DISK_NAMES]; /* which file has a name, now and on the disk; -1: none */
    struct {
        bool used;
        int file;
        size_t at, syncing;
    } fds[DISK_FDS];
    bool dead, trouble;
    int64_t torn; /* lines that may lie in pieces */
    int64_t sync_ns;
    uint64_t compact_lines;
};

struct sim_node {
    char name[16];
    struct herd_node *node; /* NULL: crashed */
    struct herd_watch *watch;
    struct herd_area *area; /* NULL: it keeps none */
    struct herd_node_options options;
    struct herd_span peer_names[ALL_MAX];
    int peers[ALL_MAX];
    bool peers_plain[ALL_MAX];
    uint32_t failing[ALL_MAX]; /* by peer: dials that failed, messages that were lost, and it will hear of that */
    struct herd_session *links[ALL_MAX]; /* by peer: as its effects have it */
    bool heard_up[ALL_MAX];              /* by peer: the last of PEER_UP and PEER_DOWN was PEER_UP */
    bool up, unnoticed[NODES_MAX]; /* of a plain neighbour: who still believes that it knows what it was told */
    int64_t wall_off, steady_off;  /* from the world's time */
    int64_t drift_ppm;             /* of the wall clock, from `drift_since` on */
    int64_t drift_since;
    int64_t paused_until;
    int64_t tick_at, retry_at;
    uint64_t oom_one_in;
    uint32_t starts;
    bool journals;
    struct herd_journal *journal;
    struct sim_disk disk; /* outlives the node */
    int32_t *safe;        /* by key: the newest that its disk must hold for ever */
    int32_t *has;         /* by key: the version it must hold */
    int32_t *watched;     /* by key: the newest its watcher saw; NO_VERSION - 1: it changed unseen by model */
    uint32_t *slots;      /* by key: where the store keeps it, once known */
    uint32_t *lives;      /* by key: how often it was removed, or accepted anew */
    uint32_t held;        /* keys it has */
    uint32_t gone;        /* of those: as tombstones */
    uint64_t sent;        /* AT lines, in earlier lives */
    struct herd_identities *set;
    struct sim_bucket buckets[IDENTITIES_MAX];
    size_t connections[IDENTITIES_MAX]; /* by identity */
    struct herd_rate addresses[ADDRESSES];
    struct sim_bucket address_buckets[ADDRESSES];
};

/* Between two nodes. */
struct edge {
    bool there, cut, cut_silently;
    int64_t latency_ns;
    int64_t stalled_until[2]; /* towards the larger number, towards the smaller */
    size_t chunk[2];          /* bytes that arrive at once; 0: as the world has it */
    int64_t gap_ns[2];        /* between two arrivals: a rate */
};

enum event_kind { EV_MOVE, EV_TICK, EV_TURN, EV_OP, EV_FAULT, EV_DIAL_FAILED, EV_START, EV_AUTH };

struct event {
    int64_t at;
    uint64_t seq;
    enum event_kind kind;
    uint32_t a, b;
    uint32_t stamp; /* of the connection, or a node's start: stale events are dropped */
};

struct figures {
    uint64_t plain_lines, unfinished, forgotten, corrected, clocks, compactions, seeds, updates, lines, links,
        crashes, cuts, faults, events, syncs, allocs_failed, checks, nodes, replays, mixed, refused, guarded,
        proving, apart, denied, too_often, proved, unproved, deleted, by_http, areas;
    double virtual_s;
};

struct world {
    uint64_t seed;
    struct rng topology, workload, network, faults, checks, limits, trust, deletions;
    struct sim_node nodes[ALL_MAX];
    int count, plains, edges;           /* plain neighbours stand behind the nodes */
    struct edge edge[ALL_MAX][ALL_MAX]; /* [smaller][larger] */
    int64_t expire_ns;                  /* 0: nothing is forgotten */
    bool mixed;                         /* nodes hold different numbers of clients, some fewer than there are */
    bool deletes;                       /* clients are deleted, too */
    bool access, peers_prove;
    uint64_t key_check;
    int apart; /* a node with another key: it stays alone; -1: none */
    struct sim_identity identities[IDENTITIES_MAX];
    int identity_count, anonymous;
    struct late_client {
        struct herd_session *session; /* NULL: free */
        uint64_t ticket;
        struct herd_identity *identity;
        int node, who, whose; /* who it is until then; whose token it sent, -1: nobody's */
        uint32_t starts;
    } late[LATE_MAX];
    struct conn *conns;
    uint32_t conn_top, serial;
    struct model model;
    struct event *heap;
    size_t heap_len, heap_cap;
    uint64_t seq;
    int64_t now;
    size_t room, chunk; /* unsent bytes below which links are filled; bytes that arrive at once */
    int64_t jitter_ns;
    int64_t ping_ns; /* 0: as nodes have it; at most twice this at any node */
    uint32_t ops_left, faults_left;
    int64_t op_gap_ns, fault_gap_ns, op_window_s;
    bool calm; /* no misfortune: messages are counted */
    bool healed;
    bool watch;
    uint64_t trace; /* a hash of all that happened */
    uint64_t events, event_max;
    bool verbose;
    struct herd_buf out;
    struct figures *figures;
    /* tickets of the client that speaks now */
    uint64_t tickets[16];
    size_t ticket_count;
    bool auth_asked;
    uint64_t auth_ticket;
    struct herd_identity *auth_identity;
    int in_node;
};

/* Ends the run: something that must not be was seen. */
_Noreturn void sim_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_say(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- areas.c ---- */
/* A node that has started follows its changes, or not; before it ends it does not. */
void areas_open(struct world *w, int node);
void areas_close(struct sim_node *n);
void areas_turn(struct world *w, int node);
/* What its area knows is what it holds. */
void areas_check(struct world *w, int node);

/* ---- model.c ---- */
void model_init(struct model *m);
void model_fini(struct model *m);
/* The version of an AT line (no LF), or NO_VERSION. */
int32_t model_find(const struct model *m, struct herd_span line);
/* Makes it known. */
int32_t model_add(struct world *w, uint32_t key, struct herd_span line);
/* <0: a comes before b. */
int model_order(const struct model *m, int32_t a, int32_t b);
int model_time_order(struct herd_span a, struct herd_span b);
/* Notes that `what` happened in `epoch`; false if it had already happened in that epoch. */
bool model_note(struct model *m, uint64_t what, uint32_t epoch);
bool model_noted(const struct model *m, uint64_t what, uint32_t epoch);
/* Within one epoch no record of a client crosses a connection twice: a frame of a comparison ends it, and that one of
 * the two nodes removed what it held. */
uint32_t model_epoch(const struct world *w, const struct end *end, uint32_t key);
/* The node was told a version: takes it if it is newer. */
void model_learn(struct world *w, int node, int32_t version);
/* The node's store decides what it has, for what it could take in was a matter of luck; never less than before. */
void model_follow(struct world *w, int node);
/* The window of effective times that the node holds, as its clock is now. */
int64_t model_window_begin(const struct world *w, int node);
int64_t model_window_end(const struct world *w, int node);
/* Whether the node, as its clock is now, holds and takes a version. */
bool model_within(const struct world *w, int node, int32_t version);
/* Whether a limit of the node does not let a version in, which it would take: it holds twice its `records_max` of
 * clients, or twice its `tombstones_max` of tombstones, and this would be one more. */
bool model_refuses(const struct world *w, int node, int32_t version);
/* Whether a node holds a client that is not deleted, or is deleted. */
bool model_present(const struct world *w, int node, uint32_t key);
bool model_gone(const struct world *w, int node, uint32_t key);
/* The node holds nothing of any client. */
void model_forget(struct world *w, int node);
/* What becomes of a version from the future that a node holds: the same, accepted anew. */
int32_t model_corrected(struct world *w, int node, int32_t version);
/* The node looks at what it holds of a client: what is from the future it accepts anew. */
void model_settle(struct world *w, int node, uint32_t key);
/* The node removed a version, or accepted it anew, for its clock; with it goes all that it had taken the place of,
 * whether that was ever written down or not. Whether it did so some time. */
void model_remove(struct world *w, int node, int32_t version);
bool model_removed(const struct world *w, int node, int32_t version);
/* The node was ticked: it removes and corrects. */
void model_tick(struct world *w, int node);
bool model_expired(const struct world *w, int node, int32_t version);

/* ---- world.c ---- */
void world_event(struct world *w, int64_t at, enum event_kind kind, uint32_t a, uint32_t b, uint32_t stamp);
bool world_next(struct world *w, struct event *ret);
void world_step(struct world *w, const struct event *e);
struct herd_now world_clock(const struct world *w, int node);
struct edge *world_edge(struct world *w, int a, int b);
/* Calls into the library happen between these: memory may be short there. */
void world_enter(struct world *w, int node);
void world_leave(struct world *w);
/* Adds to the hash of all that happened. */
void world_trace(struct world *w, uint64_t what);
void world_free(struct world *w);

/* ---- links.c ---- */
static inline struct end *other_end(struct end *end)
{
    return &end->conn->end[end == &end->conn->end[0]];
}
struct conn *world_connect(struct world *w, int a, int b);
/* Something is to be moved to this end, some time from now. */
void world_wake(struct world *w, struct end *end);
/* Sees the lines that a node is about to write to a link, in `out`. */
void world_see_lines(struct world *w, struct end *to);
void world_send(struct world *w, struct end *to, const char *at, size_t len);
/* What is in `out`: replies and introductions. */
void world_send_out(struct world *w, struct end *from);
void world_close(struct world *w, struct end *end);
/* The other end is not told. */
void world_close_end(struct world *w, struct end *end);
/* Both ends go, and what was on its way is cut at a random byte; `told`: the ends notice. */
void world_break(struct world *w, struct conn *conn, bool told);

/* ---- arrive.c ---- */
void world_move(struct world *w, struct end *end);
/* A line lacks its LF, and the node would take it as it is. */
void world_line_timeout(struct world *w, struct end *end);

/* ---- nodes.c ---- */
/* A node's own period, for the two ends of a link must not differ much. */
int64_t world_ping(const struct world *w, struct rng *r);
void world_dial_fails(struct world *w, int node, size_t peer, int64_t latest_ns);
/* The node's watcher sees what there is to see. */
void world_watch(struct world *w, int node);
/* A node's turn ends: effects, links filled, its next tick. */
void world_turn(struct world *w, int node);
/* A tick goes on with scans for a comparison: what they mark may have been said on this link before. */
void world_scans(struct world *w, int node);
/* Only what it wants done. */
void world_effects(struct world *w, int node);
bool world_start(struct world *w, int node);
void world_crash(struct world *w, int node, bool told);

/* ---- disk.c: what a node wrote down outlives it ---- */
void disk_make(struct world *w, int node, struct rng *r);
void disk_open(struct world *w, int node);
void disk_turn(struct world *w, int node);
/* The steady time of the next turn it wants. */
int64_t disk_next_ns(const struct world *w, int node);
/* The node dies, perhaps its machine too: then what was not synced may be lost, from any byte on. */
void disk_crash(struct world *w, int node);
void disk_free(struct sim_node *n);
/* All that the node knows is in its journal, once that had time to be written. */
void disk_check(struct world *w, int node);
/* Whether the folder was synced since a file got its name. */
bool disk_name_is_safe(const struct world *w, int node);
/* After a while without trouble: nothing depends on what could not be synced once. */
void disk_check_rest(struct world *w, int node);

/* ---- load.c, faults.c ---- */
/* The number of a kind of misfortune, or -1. */
int fault_number(const char *name);
void load_op(struct world *w);
void load_preload(struct world *w);
/* A client whose token took long hears what it is. */
void load_late(struct world *w, uint32_t which);
/* The time and place of a report. */
void load_draw(struct world *w, char time[64], char position[64]);
void fault_event(struct world *w, const struct event *e);
void fault_heal(struct world *w);

/* ---- trust.c ---- */
void trust_draw(struct world *w);
/* Before a node is made, and when it is gone. */
void trust_start(struct world *w, int node);
void trust_stop(struct sim_node *n);
/* Whether a client may report, now: counts it. `who` is -1 for nobody, `address` for one without a rate. */
bool trust_report(struct world *w, int node, int who, int address, uint32_t key);
bool trust_ask(const struct world *w, int who, uint32_t key);
bool trust_delete(struct world *w, int node, int who, int address, uint32_t key);
/* The node's rates decide: how much of a client was heard was a matter of luck. */
void trust_follow(struct world *w, int node);
/* One connection more of an identity, if it may have one; and one less. */
bool trust_join(struct world *w, int node, int who);
void trust_leave(struct world *w, int node, int who);
struct herd_identity *trust_find(const struct world *w, int node, struct herd_span token);
void trust_see(struct world *w, int node, struct herd_span said);
void trust_check(struct world *w, int node);
/* A connection between nodes was made: gives the session what the other side, `peer`, proved; -1: a plain neighbour. */
void trust_prove(struct world *w, struct end *end, int peer);
/* What a stranger proves that claims to be a node: nothing, somebody else, or, alas, that. */
void trust_pose(struct world *w, struct end *end, int claimed);
/* Whether this may be a link, if it is one. */
void trust_see_link(struct world *w, const struct end *end);

/* ---- foreign.c ---- */
/* What a node makes of a message of theirs; borrowed until the next call. */
struct herd_span foreign_read_message(struct herd_span line);
void foreign_report(struct world *w, int node, uint32_t key);
void foreign_read(struct world *w, struct end *end);
void foreign_break(struct world *w, struct conn *conn);
void foreign_crash(struct world *w, int node);
void foreign_heal(struct world *w);
void foreign_check(struct world *w, int node);
bool foreign_settled(struct world *w);
void foreign_check_rest(struct world *w);

/* ---- check.c ---- */
/* Where the node's store keeps a client. */
uint32_t check_slot(struct world *w, int node, uint32_t key);
bool check_comparing(const struct world *w, struct conn *conn);
void check_node(struct world *w, int node);
/* Cheap: lists, roles, tickets and timers of one node. */
void check_invariants(struct world *w, int node);
void check_links(struct world *w, int node);
void check_all(struct world *w);
bool check_converged(struct world *w);
/* The established connection of a node to its peer, or NULL. */
struct end *check_link(const struct world *w, int node, int peer);

/* ---- run.c ---- */
/* What a failing seed may do without, to see what it is about. */
struct sim_options {
    int nodes_max;
    uint32_t ops_max, faults_max;
    uint32_t without; /* a bit for each kind of misfortune */
    bool no_plain, no_expiry, no_journal, no_mix, no_trust, no_delete;
};
extern struct sim_options sim_options;
/* One seed; returns its trace hash. Does not return if something is wrong. */
uint64_t sim_run(uint64_t seed, bool verbose, struct figures *figures);

#endif
