/* SPDX-License-Identifier: MIT */
/*
 * The end of a turn of the loop: what the reads of this turn changed is sent to neighbours, all of it in one write a
 * link; replies leave, after that, so that neighbours need not wait for any number of clients; watchers see what
 * changed; what was closed is freed; the clock is set.
 */
#include "area.h"
#include "conn.h"
#include "listen.h"
#include "memory.h"

/* A link at its limit of unsent bytes is filled again when these have left; one that the kernel takes
 * everything from gets so many fills a turn, so that one neighbour catching up holds nobody else up. */
#define FILLS_A_TURN   4
#define WATCHED_A_TURN 1024

/* Fills a link; true if it has more to say and room for it. */
static bool fill(struct herd_server *server, struct herd_conn *conn)
{
    size_t limit = (size_t)server->limits->peer_buffer_bytes;
    struct herd_now now = herd_clock();
    herd_log_set_time(server->log, now.wall_ns);
    for (int i = 0; i < FILLS_A_TURN; i++) {
        size_t unsent = herd_conn_unsent(conn);
        if (!conn->session || !herd_session_want_write(conn->session) || unsent >= limit)
            return false;
        server->out.len = 0;
        int err = herd_session_write(conn->session, limit - unsent, now, &server->out);
        herd_conn_send(conn, (struct herd_span){server->out.at, server->out.len});
        if (err < 0)
            return false; /* out of memory: what did not fit is still due, at the next turn */
    }
    return conn->session && herd_session_want_write(conn->session) && herd_conn_unsent(conn) < limit;
}

static bool notify_watchers(struct herd_server *server)
{
    struct herd_record record;
    for (int i = 0; i < WATCHED_A_TURN; i++) {
        if (!herd_watch_next(server->watch, &record))
            return false;
        const struct herd_server_hooks *hooks = &server->options.hooks;
        void (*told)(void *ctx, const struct herd_record *record) =
            herd_record_is_tombstone(&record) ? hooks->deleted : hooks->update;
        if (told)
            told(hooks->ctx, &record);
    }
    return true;
}

static void set_clock(struct herd_server *server)
{
    int64_t next_ns = herd_node_next_ns(server->node);
    if (server->journal && herd_journal_next_ns(server->journal) < next_ns)
        next_ns = herd_journal_next_ns(server->journal);
    if (server->beside && herd_beside_next_ns(server->beside) < next_ns)
        next_ns = herd_beside_next_ns(server->beside);
    if (next_ns >= server->tick_ns)
        return; /* fires early at worst, and is set again then */
    struct timeval wait = herd_timeval_ns(next_ns - herd_clock().steady_ns);
    if (evtimer_add(server->tick_event, &wait) == 0)
        server->tick_ns = next_ns;
}

void herd_flush_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct herd_server *server = arg;
    bool more = false;
    if ((what & EV_TIMEOUT) && server->flush_active)
        event_del(server->flush_event); /* this is the end of the iteration; it has one */
    server->flush_active =
        true; /* also where a timer brought us: else this is asked for anew by what is served here, at once */
    herd_accept_iteration(server);
    herd_secure_iteration(server);
    herd_secure_admit(server);
    herd_serve_share(server);
    herd_serve_ready(server);
    if (server->journal)
        herd_journal_run(server->journal, herd_clock());
    for (size_t i = 0; i < herd_node_peer_count(server->node); i++)
        if (server->links[i])
            more |= fill(server, server->links[i]);
    herd_batch_flush(server);
    server->flush_active = false; /* what is said from here on needs another iteration */
    if (server->watch)
        more |= notify_watchers(server);
    if (server->area)
        more |= herd_server_area_run(server);
    if (server->beside)
        herd_beside_run(server->beside, herd_clock());
    server->service->flush(server);
    herd_server_effects(server);
    more |= !herd_list_empty(&server->ready) || !herd_list_empty(&server->posted);
    herd_serve_iteration(server);
    more |= herd_conn_free_some_closed(server);
    /* Not at once: others' reads come first. */
    if (more)
        event_add(server->next_turn_event, &(struct timeval){0, 0});
    set_clock(server);
    if (server->stopping)
        herd_stop_check(server);
}
