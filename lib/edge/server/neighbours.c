/* SPDX-License-Identifier: MIT */
/*
 * The neighbours of a server: those that the configuration links it with, at the start and whenever another one
 * takes its place. The node numbers them; the tables here are indexed by that number.
 */
#include "neighbours.h"

#include <stdlib.h>
#include <string.h>

unsigned char *herd_neighbours_of(const struct herd_config *config, size_t self)
{
    unsigned char *kinds = calloc(config->server_count, 1);
    if (!kinds)
        return NULL;
    for (size_t i = 0; i < config->link_count; i++) {
        const struct herd_config_link *link = &config->links[i];
        if (link->a != self && link->b != self)
            continue;
        size_t other = link->a == self ? link->b : link->a;
        /* One that is plain itself has plain neighbours only. */
        bool plain = config->servers[other].plain || config->servers[self].plain;
        kinds[other] = plain ? HERD_NEIGHBOUR_PLAIN : HERD_NEIGHBOUR;
    }
    return kinds;
}

/* A larger table, new entries zero; NULL: no memory, the old one is as it was. */
static void *grow(void *table, size_t count, size_t cap, size_t size)
{
    char *larger = realloc(table, cap * size);
    if (larger)
        memset(larger + count * size, 0, (cap - count) * size);
    return larger;
}

int herd_neighbours_reserve(struct herd_server *server, size_t count)
{
    size_t cap = server->neighbour_cap, more = cap * 2 > count ? cap * 2 : count;
    if (count > cap) {
        size_t *peer_servers = grow(server->peer_servers, cap, more, sizeof *peer_servers);
        if (peer_servers)
            server->peer_servers = peer_servers;
        struct herd_conn **links = grow(server->links, cap, more, sizeof(struct herd_conn *));
        if (links)
            server->links = links;
        struct herd_dial **dials = grow(server->dials, cap, more, sizeof(struct herd_dial *));
        if (dials)
            server->dials = dials;
        struct herd_plain *plains = grow(server->plains, cap, more, sizeof *plains);
        if (plains)
            server->plains = plains;
        if (!peer_servers || !links || !dials || !plains)
            return HERD_E_NOMEM;
        server->neighbour_cap = more;
    }
    for (; server->dial_count < count; server->dial_count++) {
        struct herd_dial *dial = calloc(1, sizeof *dial);
        if (!dial)
            return HERD_E_NOMEM;
        *dial = (struct herd_dial){.server = server, .peer = server->dial_count};
        server->dials[server->dial_count] = dial;
    }
    return 0;
}

void herd_neighbours_fini(struct herd_server *server)
{
    for (size_t i = 0; i < server->dial_count; i++)
        free(server->dials[i]);
    free(server->dials);
    free(server->peer_servers);
    free(server->links);
    free(server->plains);
}

int herd_neighbours_open(struct herd_server *server)
{
    int err = herd_neighbours_change(server, server->config, server->self);
    if (err >= 0)
        herd_neighbours_settle(server, NULL);
    return err;
}

static int find(const struct herd_node *node, const char *name)
{
    struct herd_span wanted = herd_span_of(name);
    for (size_t i = 0; i < herd_node_peer_count(node); i++)
        if (herd_span_equal(herd_node_peer_name(node, i), wanted))
            return (int)i;
    return HERD_E_NOTFOUND;
}

/* Makes one server a neighbour of a kind. HERD_E_NOMEM: it is what it was before. */
static int become(struct herd_node *node, const char *name, unsigned char kind, struct herd_now now)
{
    int known = find(node, name);
    bool plain = kind == HERD_NEIGHBOUR_PLAIN, was_plain = known >= 0 && herd_node_peer_plain(node, (size_t)known);
    size_t peer;
    if (known >= 0 && plain == was_plain)
        return 0;
    if (known >= 0)
        herd_node_peer_remove(node, (size_t)known, now);
    int err = herd_node_peer_add(node, herd_span_of(name), plain, now, &peer);
    if (err < 0 && known >= 0)
        (void)herd_node_peer_add(node, herd_span_of(name), was_plain, now, &peer); /* its entry is there */
    return err;
}

int herd_neighbours_change(struct herd_server *server, const struct herd_config *config, size_t self)
{
    struct herd_node *node = server->node;
    struct herd_now now = herd_clock();
    size_t before = herd_node_peer_count(node), wanted = 0, i;
    unsigned char *kinds = herd_neighbours_of(config, self), *old_kinds = calloc(before + 1, 1);
    int err = HERD_E_NOMEM;
    if (!kinds || !old_kinds)
        goto out;
    for (i = 0; i < before; i++)
        if (herd_node_peer_name(node, i).len)
            old_kinds[i] = herd_node_peer_plain(node, i) ? HERD_NEIGHBOUR_PLAIN : HERD_NEIGHBOUR;
    for (i = 0; i < config->server_count; i++)
        wanted += kinds[i] != HERD_STRANGER;
    err = herd_neighbours_reserve(server, before + wanted);
    if (err < 0)
        goto out;

    /* First what may fail, and can be undone; then what cannot. */
    for (i = 0; err >= 0 && i < config->server_count; i++)
        if (kinds[i] != HERD_STRANGER)
            err = become(node, config->servers[i].name, kinds[i], now);
    if (err < 0) {
        for (i = 0; i < config->server_count; i++) {
            int peer = kinds[i] != HERD_STRANGER ? find(node, config->servers[i].name) : -1;
            if (peer < 0)
                continue;
            if ((size_t)peer >= before || old_kinds[peer] == HERD_STRANGER)
                herd_node_peer_remove(node, (size_t)peer, now);
            else
                (void)become(node, config->servers[i].name, old_kinds[peer], now);
        }
    }
    for (i = 0; err >= 0 && i < herd_node_peer_count(node); i++) {
        struct herd_span name = herd_node_peer_name(node, i);
        int at = name.len ? herd_config_find(config, name) : -1;
        if (name.len && (at < 0 || kinds[at] == HERD_STRANGER))
            herd_node_peer_remove(node, i, now);
    }
out:
    free(kinds);
    free(old_kinds);
    return err;
}

static void log_neighbour(struct herd_server *server, const char *event, const struct herd_config_server *it)
{
    struct herd_log_field fields[] = {herd_log_text("peer", it->name), herd_log_text("host", it->host),
                                      herd_log_int("port", it->port)};
    herd_log_event(server->log, HERD_LOG_INFO, event, fields, 3);
}

size_t herd_neighbours_settle(struct herd_server *server, const struct herd_config *old)
{
    size_t changed = 0;
    for (size_t i = 0; i < herd_node_peer_count(server->node); i++) {
        struct herd_span name = herd_node_peer_name(server->node, i);
        int at = name.len ? herd_config_find(server->config, name) : -1;
        if (at < 0) {
            herd_dial_cancel(server->dials[i]);
            herd_plain_names_cancel(server, i);
            server->plains[i].address_count = 0;
            continue;
        }
        const struct herd_config_server *is = &server->config->servers[at], *was = NULL;
        int old_at = old ? herd_config_find(old, name) : -1;
        if (old_at >= 0)
            was = &old->servers[old_at];
        server->peer_servers[i] = (size_t)at;
        (void)herd_node_peer_sender(server->node, i, is->plain_sender);
        bool moved = was && (was->port != is->port || strcmp(was->host, is->host) != 0);
        if (!was || moved || herd_node_peer_plain(server->node, i) != (server->plains[i].address_count > 0))
            herd_plain_look(server, i);
        if (!moved)
            continue;
        /* A link that is up stays; what is under way to the other address does not. */
        herd_dial_cancel(server->dials[i]);
        server->dials[i]->failures = 0;
        if (!herd_node_link(server->node, i))
            herd_node_dial_local_failure(server->node, i, herd_clock());
        log_neighbour(server, "neighbour_moved", is);
        changed++;
    }
    unsigned char *before =
        old ? herd_neighbours_of(old, (size_t)herd_config_find(old, herd_span_of(server->options.name))) : NULL;
    unsigned char *after = before ? herd_neighbours_of(server->config, server->self) : NULL;
    for (size_t i = 0; after && i < server->config->server_count; i++) {
        const struct herd_config_server *is = &server->config->servers[i];
        int at = herd_config_find(old, herd_span_of(is->name));
        unsigned char was = at >= 0 ? before[at] : HERD_STRANGER;
        if (after[i] == was || after[i] == HERD_STRANGER)
            continue;
        log_neighbour(server, was == HERD_STRANGER ? "neighbour_added" : "neighbour_changed", is);
        changed++;
    }
    for (size_t i = 0; after && i < old->server_count; i++) {
        int at = herd_config_find(server->config, herd_span_of(old->servers[i].name));
        if (before[i] == HERD_STRANGER || (at >= 0 && after[at] != HERD_STRANGER))
            continue;
        log_neighbour(server, "neighbour_removed", &old->servers[i]);
        changed++;
    }
    free(before);
    free(after);
    return changed;
}
