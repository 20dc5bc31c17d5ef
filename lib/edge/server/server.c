/* SPDX-License-Identifier: MIT */
/* A server's life, its timers, and the effects of its node carried out. */
#include "server_impl.h"

#include "../../core/node/watch.h"
#include "../places/places_net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

/* Log lines and stalled writers are looked after this often. */
#define HOUSEKEEPING_US 500000

/* ---- effects ---- */

static void notify_peer(struct herd_server *server, const struct herd_effect *effect, bool up)
{
    herd_notice_peer(server, effect, up);
    if (server->options.hooks.peer)
        server->options.hooks.peer(server->options.hooks.ctx, effect->detail, up);
}

static void peer_up(struct herd_server *server, const struct herd_effect *effect)
{
    if (herd_node_peer_plain(server->node, effect->peer)) {
        notify_peer(server, effect, true); /* without a link */
        return;
    }
    if (!effect->session)
        return; /* up and down again before anybody looked */
    struct herd_conn *conn = herd_session_user(effect->session);
    herd_conn_set_peer(conn, effect->peer);
    conn->link = true;
    if (conn->fd >= 0)
        herd_dial_tune(conn->fd);
    if (conn->over_limit) {
        conn->over_limit = false;
        herd_list_remove(&conn->deadline_link);
    }
    if (conn->counted) {
        conn->counted = false; /* a neighbour is no client */
        server->client_count--;
        herd_addresses_release(&server->addresses, conn->address);
        herd_listener_resume(server);
    }
    bool moved =
        server->links[effect->peer] != NULL; /* of two connections made at once this is the one that stays */
    server->links[effect->peer] = conn;
    if (!moved)
        notify_peer(server, effect, true);
}

static void peer_down(struct herd_server *server, const struct herd_effect *effect)
{
    if (!effect->session)
        server->links[effect->peer] = NULL;
    notify_peer(server, effect, false);
}

static void carry_out(struct herd_server *server, const struct herd_effect *effect)
{
    switch (effect->kind) {
    case HERD_EFFECT_LOOKUP: herd_lookups_start(server, effect); break;
    case HERD_EFFECT_CANCEL: herd_lookups_cancel(effect); break;
    case HERD_EFFECT_COMMAND: herd_lookups_command(server, effect); break;
    case HERD_EFFECT_LINE_TIMEOUT: herd_conn_line_timeout(herd_session_user(effect->session)); break;
    case HERD_EFFECT_DIAL:
        if ((!server->stopping || herd_node_peer_plain(server->node, effect->peer)) && !server->options.dont_dial)
            herd_dial_start(server, effect->peer);
        break;
    case HERD_EFFECT_CLOSE: herd_conn_finish(herd_session_user(effect->session), effect->text); break;
    case HERD_EFFECT_PEER_UP: peer_up(server, effect); break;
    case HERD_EFFECT_RESUME:
        if (effect->session)
            herd_conn_resume(herd_session_user(effect->session));
        break;
    case HERD_EFFECT_PEER_DOWN: peer_down(server, effect); break;
    case HERD_EFFECT_NOTICE: herd_notice_log(server, effect); break;
    }
}

void herd_server_effects(struct herd_server *server)
{
    struct herd_effect effect;
    if (server->in_effects)
        return; /* the loop below, further out, takes the new ones too */
    server->in_effects = true;
    while (herd_node_next_effect(server->node, &effect))
        carry_out(server, &effect);
    server->in_effects = false;
}

void herd_server_schedule_flush(struct herd_server *server)
{
    if (server->flush_active || server->freeing)
        return;
    server->flush_active = true;
    event_active(server->flush_event, 0, 0);
}

/* ---- timers ---- */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct herd_server *server = arg;
    struct herd_now now = herd_clock();
    server->tick_ns = INT64_MAX;
    herd_log_set_time(server->log, now.wall_ns);
    herd_node_tick(server->node, now);
    herd_server_effects(server);
    herd_server_schedule_flush(server);
}

/* A connection that took no byte for too long, or has had its time to read our last words, is closed. What the
 * kernel holds counts: it asks for more only after it has got rid of a good part of that, and on a slow link
 * this takes long. */
static void close_stalled(struct herd_server *server)
{
    int64_t now_ns = herd_clock().steady_ns;
    int64_t stall_ns = server->limits->write_stall_ms * 1000000;
    size_t unacked;
    struct herd_list *next;
    for (struct herd_list *at = server->deadline_list.next; at != &server->deadline_list; at = next) {
        struct herd_conn *conn = HERD_CONTAINER_OF(at, struct herd_conn, deadline_link);
        next = at->next;
        if (conn->over_limit) {
            if (now_ns >= conn->progress_ns)
                herd_conn_close(conn, "clients_max");
        } else if (conn->lingering) {
            if (now_ns >= conn->progress_ns)
                herd_conn_close(conn, "lingered");
        } else if ((unacked = herd_transport_unacked(conn)) != conn->unacked_seen) {
            conn->unacked_seen = unacked;
            conn->progress_ns = now_ns;
        } else if (now_ns - conn->progress_ns >= stall_ns) {
            herd_conn_close(conn, "write_stall");
        }
    }
}

static void on_housekeeping(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct herd_server *server = arg;
    herd_log_set_time(server->log, herd_clock().wall_ns);
    close_stalled(server);
    herd_server_effects(server);
    herd_log_flush(server->log);
    herd_plain_names_check(server);
    /* Memory may have been short when a timer was to be set: without this nobody would ask again. */
    herd_listener_resume(server);
    herd_plain_ask(server);
    herd_reload_housekeeping(server);
    herd_server_schedule_flush(server);
}

/* ---- life ---- */

static int fault(struct herd_diagnostic *reterr_diagnostic, int err, const char *what, const char *name)
{
    reterr_diagnostic->line = reterr_diagnostic->column = 0;
    snprintf(reterr_diagnostic->message, sizeof reterr_diagnostic->message, "%s%s%s", what, name ? ": " : "",
             name ? name : "");
    return err;
}

static int64_t ms(int64_t value)
{
    return value * 1000000;
}

/* In a configuration 0 says "never"; the node says it with a negative time. */
static int64_t ms_or_never(int64_t value)
{
    return value == 0 ? -1 : ms(value);
}

void herd_server_node_limits(const struct herd_limits *l, struct herd_node_options *o)
{
    o->line_max_bytes = (size_t)l->line_max_bytes;
    o->records_max = (size_t)l->records_max;
    o->records_bytes_max = l->records_bytes_max ? (uint64_t)l->records_bytes_max : UINT64_MAX;
    o->lookups_per_client_max = (size_t)l->lookups_per_client_max;
    o->queued_reply_max_bytes = (size_t)l->output_pause_bytes;
    o->plain_lines_max = (size_t)l->plain_lines_max;
    o->client_idle_ns = ms_or_never(l->client_idle_ms);
    o->line_deadline_ns = ms_or_never(l->line_deadline_ms);
    o->ping_ns = ms(l->peer_ping_ms);
    o->hello_ns = ms(l->peer_hello_ms);
    o->redial_min_ns = ms(l->redial_min_ms);
    o->redial_max_ns = ms(l->redial_max_ms);
    o->digest_ns = ms(l->digest_ms);
    o->future_ns = ms_or_never(l->future_ms);
    o->expire_ns = ms(l->expire_ms);
    o->future_refuse = l->future_refuse != 0;
    o->close_after_reply = l->close_after_reply != 0;
}

static int make_node(struct herd_server *server)
{
    uint64_t seed[2];
    if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        return HERD_E_IO;
    struct herd_node_options options = {
        .name = herd_span_of(server->config->servers[server->self].name),
        .seed = {seed[0], seed[1]},
        .commands = server->options.hooks.command != NULL,
    };
    herd_server_node_limits(server->limits, &options);
    int err = herd_node_new(&server->node, &options);
    if (err >= 0)
        err = herd_neighbours_open(server);
    if (err < 0)
        return err;
    server->addresses.key[0] = seed[1];
    server->addresses.key[1] = seed[0];
    return server->options.hooks.update ? herd_watch_open(server->node, &server->watch) : 0;
}

/* Remembers what cannot change later, to say so when a configuration asks for it. */
static int keep_start(struct herd_server *server)
{
    const struct herd_config_server *self = &server->config->servers[server->self];
    server->start_port = self->port;
    server->start_listen = herd_listener_where(self);
    server->start_journal = server->config->journal ? strdup(server->config->journal) : NULL;
    return server->start_listen && (server->start_journal || !server->config->journal) ? 0 : HERD_E_NOMEM;
}

/* The journal's thread is done with something. */
static void on_journal(evutil_socket_t fd, short what, void *arg)
{
    eventfd_t count;
    (void)what;
    (void)eventfd_read(fd, &count);
    herd_server_schedule_flush(arg);
}

static int make_journal_event(struct herd_server *server)
{
    server->journal_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->journal_fd < 0)
        return HERD_E_IO;
    server->journal_event = event_new(server->base, server->journal_fd, EV_READ | EV_PERSIST, on_journal, server);
    return server->journal_event && event_add(server->journal_event, NULL) == 0 ? 0 : HERD_E_NOMEM;
}

static int open_journal(struct herd_server *server, struct herd_diagnostic *reterr_diagnostic)
{
    struct herd_buf path = {0};
    if (!server->config->journal)
        return 0;
    int err = make_journal_event(server);
    if (err >= 0)
        err = herd_journal_path(server->config->journal, server->options.name, &path);
    const struct herd_journal_options options = {
        .node = server->node,
        .log = server->log,
        .path = path.at,
        .sync_ns = ms(server->limits->journal_sync_ms),
        .wait_ns = ms(server->limits->journal_wait_ms),
        .notify_fd = &server->journal_fd,
    };
    err = err < 0 ? fault(reterr_diagnostic, err, herd_strerror(err), NULL)
                  : herd_journal_open(&server->journal, &options, herd_clock(), reterr_diagnostic);
    herd_buf_fini(&path);
    if (err >= 0 && server->watch)
        herd_watch_mark_all(server->watch);
    return err;
}

static int make_events(struct herd_server *server)
{
    server->flush_event = event_new(server->base, -1, 0, herd_flush_event, server);
    server->next_turn_event = evtimer_new(server->base, herd_flush_event, server);
    server->tick_event = evtimer_new(server->base, on_tick, server);
    server->stop_event = evtimer_new(server->base, herd_stop_event, server);
    server->plain_event = evtimer_new(server->base, herd_plain_event, server);
    server->housekeeping_event = event_new(server->base, -1, EV_PERSIST, on_housekeeping, server);
    server->scratch = malloc(HERD_READ_FRONT + HERD_READ_BYTES);
    if (!server->plain_event || !server->flush_event || !server->next_turn_event || !server->tick_event ||
        !server->stop_event || !server->housekeeping_event || !server->scratch ||
        event_add(server->housekeeping_event, &(struct timeval){0, HOUSEKEEPING_US}) < 0)
        return HERD_E_NOMEM;
    return 0;
}

int herd_server_new(struct herd_server **ret_server, struct event_base *base,
                    const struct herd_server_options *options, struct herd_diagnostic *reterr_diagnostic)
{
    if (!ret_server || !base || !options || !reterr_diagnostic)
        return HERD_E_ARG;
    if (!options->config || !options->name)
        return fault(reterr_diagnostic, HERD_E_ARG, "a server needs a configuration and a name", NULL);
    int self = herd_config_find(options->config, herd_span_of(options->name));
    if (self < 0)
        return fault(reterr_diagnostic, self, "no such server in the configuration", options->name);
    struct herd_server *server = calloc(1, sizeof *server);
    if (!server)
        return fault(reterr_diagnostic, HERD_E_NOMEM, herd_strerror(HERD_E_NOMEM), NULL);
    server->base = base;
    server->options = *options;
    server->config = options->config;
    server->limits = &options->config->limits;
    server->log = options->log;
    server->places = options->places;
    server->self = (size_t)self;
    server->reserve_fd = server->journal_fd = -1;
    server->tick_ns = INT64_MAX;
    herd_list_init(&server->conns);
    herd_list_init(&server->deadline_list);
    herd_list_init(&server->plain_lingering);
    herd_list_init(&server->closed_conns);
    herd_log_set_time(server->log, herd_clock().wall_ns);

    int err = keep_start(server);
    if (err >= 0)
        err = herd_resolver_new(&server->resolver, server->base);
    if (err >= 0)
        err = make_node(server);
    if (err >= 0)
        err = make_events(server);
    if (err < 0) {
        fault(reterr_diagnostic, err, herd_strerror(err), NULL);
    } else {
        if (!server->places) {
            err = herd_places_new(&server->places, base, server->config, server->log, reterr_diagnostic);
            server->places_ours = err >= 0;
            if (err >= 0)
                herd_places_set_resolver(server->places, server->resolver);
        }
        if (err >= 0)
            err = open_journal(server, reterr_diagnostic);
        if (err >= 0 && !server->options.dont_listen)
            err = herd_listener_open(server, reterr_diagnostic);
    }
    if (err < 0) {
        herd_server_free(server);
        return err;
    }
    if (server->options.dont_listen) {
        struct herd_log_field field = herd_log_text("name", options->name);
        herd_log_event(server->log, HERD_LOG_INFO, "started", &field, 1);
    } else {
        herd_listener_log(server);
    }
    herd_log_flush(server->log);
    herd_plain_names_check(server);
    on_tick(-1, 0, server);
    *ret_server = server;
    return 0;
}

void herd_server_free(struct herd_server *server)
{
    if (!server)
        return;
    server->freeing = true;
    if (server->journal && server->batch.waiting.count + server->batch.collecting.count > 0)
        herd_journal_flush(server->journal, herd_clock(), server->limits->journal_wait_ms);
    herd_batch_flush(server);
    herd_listener_close(server);
    for (size_t i = 0; i < server->dial_count; i++) {
        herd_dial_cancel(server->dials[i]);
        herd_plain_names_cancel(server, i);
    }
    while (!herd_list_empty(&server->conns))
        herd_conn_close(HERD_CONTAINER_OF(server->conns.next, struct herd_conn, all), NULL);
    if (server->node)
        herd_server_effects(server); /* look-ups are cancelled */
    herd_conn_free_closed(server);
    herd_reload_fini(server);
    if (server->places_ours)
        herd_places_free(server->places);
    herd_watch_close(server->watch);
    herd_journal_close(server->journal, herd_clock());
    herd_node_free(server->node);
    herd_resolver_release(server->resolver);
    struct event *events[] = {server->flush_event,  server->next_turn_event,    server->tick_event,
                              server->stop_event,   server->housekeeping_event, server->plain_event,
                              server->journal_event};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (events[i])
            event_free(events[i]);
    if (server->journal_fd >= 0)
        close(server->journal_fd);
    herd_log_flush(server->log);
    herd_addresses_fini(&server->addresses);
    herd_batch_fini(&server->batch);
    herd_buf_fini(&server->out);
    free(server->scratch);
    herd_neighbours_fini(server);
    free(server->start_listen);
    free(server->start_journal);
    free(server);
}

size_t herd_server_unsaved(const struct herd_server *server)
{
    return server->journal ? herd_journal_unwritten(server->journal) : 0;
}

uint16_t herd_server_port(const struct herd_server *server)
{
    return server->port;
}

struct herd_node *herd_server_node(struct herd_server *server)
{
    return server->node;
}

/* ---- connections handed to us ---- */

static int adopt(struct herd_server *server, struct bufferevent *bev, int peer)
{
    if (server->stopping)
        return HERD_E_STATE;
    struct herd_conn *conn = herd_conn_new(server);
    if (!conn)
        return HERD_E_NOMEM;
    int err = herd_bev_attach(conn, bev);
    if (err >= 0)
        err = peer < 0 ? herd_conn_begin_client(conn) : herd_conn_begin_link(conn, (size_t)peer);
    if (err < 0) {
        if (conn->bev)
            bufferevent_setcb(bev, NULL, NULL, NULL, NULL);
        conn->bev = NULL; /* still the caller's */
        herd_conn_close(conn, NULL);
    } else if (!conn->closed && evbuffer_get_length(bufferevent_get_input(bev)) > 0) {
        /* What came before: no callback tells of it, and none may run before the caller has our answer. */
        bufferevent_trigger(bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
    }
    return err;
}

int herd_server_adopt_client(struct herd_server *server, struct bufferevent *bev)
{
    return adopt(server, bev, -1);
}

int herd_server_adopt_link(struct herd_server *server, struct bufferevent *bev, const char *name)
{
    struct herd_span wanted = herd_span_of(name);
    for (size_t i = 0; i < herd_node_peer_count(server->node); i++)
        if (herd_span_equal(herd_node_peer_name(server->node, i), wanted))
            return adopt(server, bev, (int)i);
    return HERD_E_NOTFOUND;
}
