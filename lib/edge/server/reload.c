/* SPDX-License-Identifier: MIT */
/*
 * Another configuration while a server runs. Whatever can fail comes first and changes nothing; then all of it is
 * in force at once. What a running server cannot change (who it is, where it listens, its journal) is said, each
 * time, for as long as the configuration asks for it.
 *
 * Providers that changed are made anew. Look-ups under way end where they began: the old chain is kept until it has
 * answered them.
 */
#include "../net/network.h"
#include "../places/places_net.h"
#include "fences.h"
#include "listen.h"
#include "memory.h"
#include "neighbours.h"
#include "search.h"
#include "shards.h"
#include "webhook.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct herd_retired {
    struct herd_retired *next;
    struct herd_places *places;
};

void herd_reload_housekeeping(struct herd_server *server)
{
    for (struct herd_retired **at = &server->retired; *at;) {
        struct herd_retired *retired = *at;
        if (!herd_places_idle(retired->places)) {
            at = &retired->next;
            continue;
        }
        *at = retired->next;
        herd_places_free(retired->places);
        free(retired);
    }
}

void herd_reload_fini(struct herd_server *server)
{
    while (server->retired) {
        struct herd_retired *retired = server->retired;
        server->retired = retired->next;
        herd_places_free(retired->places);
        free(retired);
    }
}

static bool same_providers(const struct herd_config *a, const struct herd_config *b)
{
    if (a->provider_count != b->provider_count)
        return false;
    for (size_t i = 0; i < a->provider_count; i++) {
        const struct herd_config_provider *p = &a->providers[i], *q = &b->providers[i];
        if (!herd_same_text(p->kind, q->kind) || !herd_same_text(p->url, q->url) ||
            !herd_same_text(p->key_file, q->key_file) || !herd_same_text(p->key_env, q->key_env) ||
            !herd_same_text(p->ca_file, q->ca_file) || !herd_same_text(p->file, q->file) ||
            !herd_same_text(p->fields, q->fields) || !herd_same_text(p->filter, q->filter) ||
            p->timeout_ms != q->timeout_ms || p->cache_ms != q->cache_ms || p->in_flight_max != q->in_flight_max)
            return false;
    }
    return true;
}

static int fail(struct herd_diagnostic *reterr_diagnostic, int err, const char *what, const char *name)
{
    reterr_diagnostic->line = reterr_diagnostic->column = 0;
    snprintf(reterr_diagnostic->message, sizeof reterr_diagnostic->message, "%s%s", what, name);
    return err;
}

static void log_change(struct herd_server *server, const char *setting, const char *was, const char *is)
{
    struct herd_log_field fields[] = {herd_log_text("setting", setting), herd_log_text("was", was),
                                      herd_log_text("is", is)};
    herd_log_event(server->log, HERD_LOG_INFO, "setting_changed", fields, 3);
}

static size_t log_limit(struct herd_server *server, const char *name, int64_t was, int64_t is)
{
    char setting[64], old[24], new[24];
    if (was == is)
        return 0;
    snprintf(setting, sizeof setting, "limits.%s", name);
    snprintf(old, sizeof old, "%" PRId64, was);
    snprintf(new, sizeof new, "%" PRId64, is);
    log_change(server, setting, old, new);
    return 1;
}

static size_t log_limits(struct herd_server *server, const struct herd_limits *was, const struct herd_limits *is)
{
    size_t changed = 0;
#define LIMIT_LOG(name, standard, least, greatest, what) changed += log_limit(server, #name, was->name, is->name);
    HERD_LIMIT_LIST(LIMIT_LOG)
#undef LIMIT_LOG
    return changed;
}

/* One line for what was asked for and needs a restart. */
static size_t log_kept(struct herd_server *server, const char *member, const char *runs, const char *asked)
{
    if (herd_same_text(runs, asked))
        return 0;
    struct herd_log_field fields[] = {herd_log_text("setting", member),
                                      herd_log_text("in_force", runs ? runs : "none"),
                                      herd_log_text("configured", asked ? asked : "none")};
    herd_log_event(server->log, HERD_LOG_WARN, "restart_needed", fields, 3);
    return 1;
}

/* The same for a port; 0: none. */
static size_t log_kept_port(struct herd_server *server, const char *member, unsigned runs, unsigned asked)
{
    char old[8], new[8];
    snprintf(old, sizeof old, "%u", runs);
    snprintf(new, sizeof new, "%u", asked);
    return log_kept(server, member, runs ? old : NULL, asked ? new : NULL);
}

static size_t log_all_kept(struct herd_server *server)
{
    const struct herd_config_server *self = &server->config->servers[server->self];
    size_t kept = 0;
    if (!server->options.dont_listen) {
        char *listen = herd_listener_where(self);
        if (listen)
            kept += log_kept(server, self->listen_count ? "listen" : "host", server->start_listen, listen);
        free(listen);
        kept += log_kept_port(server, "port", server->start_port, self->port);
    }
    if (!server->options.dont_listen) {
        char *listen = herd_listener_http_where(self);
        kept += log_kept_port(server, "http_port", server->start_http_port, self->http_port);
        kept += log_kept_port(server, "admin_port", server->start_admin_port, self->admin_port);
        if (listen && server->start_http_port && self->http_port)
            kept += log_kept(server, "http_listen", server->start_http_listen, listen);
        free(listen);
    }
    kept += log_kept(server, "journal", server->start_journal, server->config->journal);
    char *database = herd_server_memory_text(&server->config->database);
    kept += log_kept(server, "database", server->start_database, database);
    free(database);
    kept +=
        log_kept(server, "area", server->start_area ? "true" : "false", server->config->area ? "true" : "false");
    return kept;
}

static void set_limits(struct herd_server *server)
{
    struct herd_node_options options = {.fetch_unknown = server->reads_through};
    server->limits = &server->config->limits;
    herd_server_node_access(server->trust, &options);
    herd_server_node_limits(server->limits, &options);
    options.commands = server->options.hooks.command || server->limits->near_line || server->limits->watch_line;
    herd_node_configure(server->node, &options, herd_clock());
    if (server->places_ours)
        herd_places_configure(server->places, server->limits);
    if (server->journal)
        herd_journal_configure(server->journal, server->limits->journal_sync_ms * 1000000,
                               server->limits->journal_wait_ms * 1000000);
    herd_accept_resume(server);
}

static size_t log_texts(struct herd_server *server, const char *setting, char *const *was, size_t was_count,
                        char *const *is, size_t is_count)
{
    char old[24], new[24];
    size_t i = 0;
    while (i < was_count && i < is_count && strcmp(was[i], is[i]) == 0)
        i++;
    if (i == was_count && i == is_count)
        return 0;
    snprintf(old, sizeof old, "%zu of them", was_count);
    snprintf(new, sizeof new, "%zu of them", is_count);
    log_change(server, setting, old, new);
    return 1;
}

static size_t log_http(struct herd_server *server, const struct herd_config_http *was,
                       const struct herd_config_http *is)
{
    return log_texts(server, "http.hosts", was->hosts, was->host_count, is->hosts, is->host_count) +
           log_texts(server, "http.origins", was->origins, was->origin_count, is->origins, is->origin_count) +
           log_texts(server, "http.proxies", was->proxies, was->proxy_count, is->proxies, is->proxy_count);
}

static size_t log_log(struct herd_server *server, const struct herd_config *was, const struct herd_config *is)
{
    size_t changed = 0;
    if (was->log_level != is->log_level) {
        log_change(server, "log.level", herd_log_level_name(was->log_level), herd_log_level_name(is->log_level));
        changed++;
    }
    if (was->log_traffic != is->log_traffic) {
        log_change(server, "log.traffic", was->log_traffic ? "true" : "false", is->log_traffic ? "true" : "false");
        changed++;
    }
    return changed;
}

/* Which clients are this herd's from now on. */
static size_t replace_shards(struct herd_server *server, struct herd_server_shards *shards)
{
    struct herd_server_shards *old = server->shards;
    unsigned moved = 0;
    char text[32];
    for (unsigned bucket = 0; bucket < HERD_BUCKETS; bucket++) {
        bool was = !old || old->node.herd_of_bucket[bucket] == old->node.self;
        bool is = !shards || shards->node.herd_of_bucket[bucket] == shards->node.self;
        moved += was != is;
    }
    herd_node_set_shards(server->node, shards ? &shards->node : NULL);
    server->shards = shards;
    bool key_changed = old && shards && old->node.key != shards->node.key;
    herd_server_shards_free(old);
    if (moved == 0 && !key_changed)
        return 0;
    snprintf(text, sizeof text, "%u buckets more or less", moved);
    log_change(server, "shards", key_changed ? "another key" : "", text);
    return 1;
}

/* The old chain answers what it was asked. */
static void replace_places(struct herd_server *server, struct herd_places *places, struct herd_retired *retired)
{
    retired->places = server->places;
    retired->next = server->retired;
    server->retired = retired;
    server->places = places;
}

/* All that was prepared is in force from here on; nothing below can fail. The log is set to the louder of both
 * levels while it says so. */
static void take_over(struct herd_server *server, const struct herd_config *config, size_t self,
                      struct herd_network *proxies, struct herd_server_shards *shards)
{
    const struct herd_config *old = server->config;
    server->config = server->options.config = config;
    server->self = self;
    if (config->log_level > old->log_level)
        herd_log_configure(server->log, config->log_level, old->log_traffic);
    size_t changed = log_log(server, old, config) + log_limits(server, &old->limits, &config->limits) +
                     log_http(server, &old->http, &config->http);
    free(server->proxies);
    server->proxies = proxies;
    server->proxy_count = config->http.proxy_count;
    set_limits(server);
    changed += replace_shards(server, shards);
    changed += herd_neighbours_settle(server, old);
    herd_plain_names_check(server);
    if (server->places_ours && !same_providers(old, config)) {
        log_change(server, "places", old->providers[0].kind, config->providers[0].kind);
        changed++;
    }
    struct herd_log_field fields[] = {herd_log_int("changed", (int64_t)changed),
                                      herd_log_int("restart_needed", (int64_t)log_all_kept(server))};
    herd_log_event(server->log, HERD_LOG_INFO, "configuration_reloaded", fields, 2);
    if (old->log_level != config->log_level || old->log_traffic != config->log_traffic)
        herd_log_configure(server->log, config->log_level, config->log_traffic);
}

/* What was checked is in force, or, if memory is short, stays as it was. */
static void reread_webhook(struct herd_server *server)
{
    struct herd_diagnostic diagnostic;
    if (herd_webhook_configure(server, server->config, &diagnostic) >= 0)
        return;
    struct herd_log_field field = herd_log_text("why", diagnostic.message);
    herd_log_event(server->log, HERD_LOG_ERROR, "webhook_kept", &field, 1);
}

int herd_server_reload(struct herd_server *server, const struct herd_config *config,
                       struct herd_diagnostic *reterr_diagnostic)
{
    herd_log_set_time(server->log, herd_clock().wall_ns);
    herd_resolver_flush(server->resolver);
    if (server->journal) {
        herd_journal_look(server->journal);
        herd_server_schedule_flush(server);
    }
    if (server->stopping)
        return fail(reterr_diagnostic, HERD_E_STATE, "the server is stopping", "");
    if (!config) {
        herd_places_reload(server->places);
        herd_server_fences_reread(server);
        reread_webhook(server);
        return 0;
    }
    int self = herd_config_find(config, herd_span_of(server->options.name));
    if (self < 0)
        return fail(reterr_diagnostic, self, "no such server in the configuration: ", server->options.name);
    struct herd_places *places = NULL;
    struct herd_retired *retired = NULL;
    struct herd_trust *old_trust = NULL;
    struct herd_network *proxies = NULL;
    struct herd_server_shards *shards = NULL;
    struct herd_fence_file *fences = NULL;
    int err = server->area && config->fences ? herd_fence_file_read(&fences, config, reterr_diagnostic) : 0;
    if (err >= 0)
        err = herd_webhook_check(config, reterr_diagnostic);
    if (err >= 0)
        err = herd_secure_reload(server, config, &old_trust, reterr_diagnostic);
    if (err < 0) {
        herd_fence_file_free(fences);
        return err;
    }
    if (server->places_ours && !same_providers(server->config, config)) {
        retired = calloc(1, sizeof *retired);
        err = retired ? herd_places_renew(&places, server->base, config, server->log, reterr_diagnostic)
                      : fail(reterr_diagnostic, HERD_E_NOMEM, herd_strerror(HERD_E_NOMEM), "");
        if (places)
            herd_places_set_resolver(places, server->resolver);
    }
    if (err >= 0) {
        proxies = herd_proxied_networks(config);
        err = proxies ? herd_server_shards_new(&shards, config, server->trust->bucket_key) : HERD_E_NOMEM;
        if (err >= 0)
            err = herd_neighbours_change(server, config, (size_t)self);
        if (err < 0)
            fail(reterr_diagnostic, err, herd_strerror(err), "");
    }
    if (err < 0) {
        free(proxies);
        herd_server_shards_free(shards);
        herd_fence_file_free(fences);
        herd_places_free(places);
        free(retired);
        herd_trust_free(server->trust);
        server->trust = old_trust;
    } else {
        if (places)
            replace_places(server, places, retired);
        else
            herd_places_reload(server->places);
        take_over(server, config, (size_t)self, proxies, shards);
        if (server->area)
            herd_server_fences_replace(server, fences);
        reread_webhook(server);
        herd_secure_log_access(server, old_trust);
        herd_secure_reloaded(server, old_trust);
        herd_searches_reloaded(server);
        server->service->reload(server);
    }
    herd_server_effects(server);
    herd_server_schedule_flush(server);
    return err;
}
