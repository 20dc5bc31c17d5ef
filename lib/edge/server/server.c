/* SPDX-License-Identifier: MIT */
/* A server's life. */
#include "../config/config_path.h"
#include "area.h"
#include "conn.h"
#include "fences.h"
#include "listen.h"
#include "memory.h"
#include "neighbours.h"
#include "search.h"
#include "shards.h"
#include "webhook.h"

#include "../net/network.h"
#include "../places/places_net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

static int fault(struct herd_diagnostic *reterr_diagnostic, int err, const char *what, const char *name)
{
    reterr_diagnostic->line = reterr_diagnostic->column = 0;
    snprintf(reterr_diagnostic->message, sizeof reterr_diagnostic->message, "%s%s%s", what, name ? ": " : "",
             name ? name : "");
    return err;
}

static int make_node(struct herd_server *server)
{
    uint64_t seed[2];
    if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        return HERD_E_IO;
    struct herd_node_options options = {
        .name = herd_span_of(server->config->servers[server->self].name),
        .seed = {seed[0], seed[1]},
        .commands = server->options.hooks.command || server->limits->near_line || server->limits->watch_line,
        .fetch_unknown = server->reads_through,
        .digest_key = server->trust->digest_key,
        .key_check = server->trust->key_check,
    };
    herd_server_node_access(server->trust, &options);
    herd_server_node_limits(server->limits, &options);
    int err = herd_node_new(&server->node, &options);
    if (err >= 0)
        err = herd_server_shards_new(&server->shards, server->config, server->trust->bucket_key);
    if (err >= 0 && server->shards)
        herd_node_set_shards(server->node, &server->shards->node);
    if (err >= 0)
        err = herd_neighbours_open(server);
    if (err < 0)
        return err;
    server->addresses.key[0] = seed[1];
    server->addresses.key[1] = seed[0];
    return server->options.hooks.update || server->options.hooks.deleted
               ? herd_watch_open(server->node, &server->watch)
               : 0;
}

/* Remembers what cannot change later, to say so when a configuration asks for it. */
static int keep_start(struct herd_server *server)
{
    const struct herd_config_server *self = &server->config->servers[server->self];
    server->start_port = self->port;
    server->start_http_port = self->http_port;
    server->start_admin_port = self->admin_port;
    server->start_listen = herd_listener_where(self);
    server->start_http_listen = herd_listener_http_where(self);
    server->start_journal = server->config->journal ? strdup(server->config->journal) : NULL;
    server->start_area = server->config->area;
    server->reads_through = server->config->database.kind && server->config->database.read_through;
    server->start_database = herd_server_memory_text(&server->config->database);
    server->proxies = herd_proxied_networks(server->config);
    server->proxy_count = server->config->http.proxy_count;
    bool kept = server->start_listen && server->start_http_listen &&
                (server->start_journal || !server->config->journal) && server->proxies &&
                (server->start_database || !server->config->database.kind);
    return kept ? 0 : HERD_E_NOMEM;
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
        err = herd_config_path(server->config->journal, server->options.name, &path);
    const struct herd_journal_options options = {
        .node = server->node,
        .log = server->log,
        .path = path.at,
        .sync_ns = server->limits->journal_sync_ms * 1000000,
        .wait_ns = server->limits->journal_wait_ms * 1000000,
        .notify_fd = &server->journal_fd,
    };
    err = err < 0 ? fault(reterr_diagnostic, err, herd_strerror(err), NULL)
                  : herd_journal_open(&server->journal, &options, herd_clock(), reterr_diagnostic);
    herd_buf_fini(&path);
    if (err >= 0 && server->watch)
        herd_watch_all(server->watch);
    return err;
}

static int make_sockets(struct herd_server *server)
{
    server->sockets = (struct herd_socket_loop){.base = server->base, .scratch = malloc(HERD_SOCKET_SCRATCH_BYTES)};
    return server->sockets.scratch ? 0 : HERD_E_NOMEM;
}

int herd_server_make(struct herd_server **ret_server, struct event_base *base,
                     const struct herd_server_options *options, const struct herd_service *service,
                     struct herd_diagnostic *reterr_diagnostic)
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
    server->start_wall_ns = herd_clock().wall_ns;
    server->config = options->config;
    server->limits = &options->config->limits;
    server->service = service;
    server->log = options->log;
    server->places = options->places;
    server->self = (size_t)self;
    server->reserve_fd = server->journal_fd = -1;
    server->tick_ns = INT64_MAX;
    herd_list_init(&server->conns);
    herd_list_init(&server->deadline_list);
    herd_list_init(&server->plain_lingering);
    herd_list_init(&server->closed_conns);
    herd_list_init(&server->ready);
    herd_list_init(&server->posted);
    herd_admission_init(&server->admission);
    herd_secure_init(server, herd_secure_opened);
    herd_list_init(&server->questions);
    herd_list_init(&server->fence_sinks);
    herd_list_init(&server->line_watches);
    herd_list_init(&server->searches);
    herd_serve_iteration(server);
    server->transport_events = &herd_serve_events;
    herd_log_set_time(server->log, herd_clock().wall_ns);

    int err = keep_start(server);
    if (err >= 0)
        err = herd_resolver_new(&server->resolver, server->base);
    bool told = false;
    if (err >= 0) {
        err = herd_secure_open(server, reterr_diagnostic);
        told = err < 0;
    }
    if (err >= 0)
        err = make_node(server);
    if (err >= 0)
        err = make_sockets(server);
    if (err >= 0)
        err = herd_timers_new(server);
    if (err < 0) {
        if (!told)
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
        if (err >= 0)
            err = herd_server_memory_open(server, reterr_diagnostic);
        if (err >= 0) { /* behind the journal: its clients enter nowhere */
            err = herd_server_area_open(server);
            if (err >= 0 && server->area)
                err = herd_searches_open(server);
            if (err < 0)
                fault(reterr_diagnostic, err, herd_strerror(err), NULL);
        }
        if (err >= 0)
            err = herd_server_fences_open(server, reterr_diagnostic);
        if (err >= 0)
            err = herd_webhook_configure(server, server->config, reterr_diagnostic);
        if (err >= 0)
            err = service->open(server, reterr_diagnostic);
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
    herd_timers_tick(server);
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
    (void)herd_conn_free_closed(server);
    herd_inside_cancel(server);
    server->service->close(server);
    herd_reload_fini(server);
    if (server->places_ours)
        herd_places_free(server->places);
    herd_beside_close(server->beside);
    herd_watch_close(server->watch);
    herd_searches_close(server);
    herd_webhook_close(server);
    herd_fence_file_free(server->fence_file);
    herd_area_close(server->area);
    herd_journal_close(server->journal, herd_clock());
    herd_node_free(server->node);
    herd_server_shards_free(server->shards);
    herd_trust_free(server->trust);
    herd_secure_fini(server);
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
    herd_admission_fini(&server->admission);
    herd_batch_fini(&server->batch);
    herd_buf_fini(&server->out);
    free(server->sockets.scratch);
    herd_neighbours_fini(server);
    free(server->proxies);
    free(server->start_listen);
    free(server->start_http_listen);
    free(server->start_journal);
    free(server->start_database);
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

const struct herd_node *herd_server_node(const struct herd_server *server)
{
    return server->node;
}
