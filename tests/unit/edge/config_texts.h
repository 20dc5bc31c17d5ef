/* SPDX-License-Identifier: MIT */
/* Two configurations that say all there is to say, and whether two are the same. */
#ifndef TEST_CONFIG_TEXTS_H
#define TEST_CONFIG_TEXTS_H

#include "cm.h"

#include <herd/config.h>

#include <stdio.h>
#include <string.h>

/* Every member, none at its default. */
static const char full[] =
    "{ \"servers\": { \"Riley\": {\"host\": \"10.0.0.1\", \"port\": 1, \"listen\": \"*\"}, \"a.b_c-d\": {\"port\": "
    "65535, \"listen\": [\"::1\", \"a-b.example\"], \"plain\": true, \"plain_sender\": true},\n"
    "               \"v6\": {\"host\": \"::1\", \"port\": 7, \"plain\": false} },\r\n"
    "\t\"links\": [[\"Riley\",\"v6\"], [\"a.b_c-d\",\"Riley\"]],\n"
    "  \"places\": [{\"provider\": \"google-new\", \"url\": \"http://127.0.0.1:8080/v1\", \"key_file\": "
    "\"/run/key\",\n"
    "               \"ca_file\": \"/ca.pem\", \"fields\": \"places.id,places.displayName\", \"timeout_ms\": 50},\n"
    "              {\"provider\": \"google-legacy\", \"key_env\": \"HERD_KEY\", \"in_flight_max\": 3},\n"
    "              {\"provider\": \"overpass\", \"filter\": \"[\\\"amenity\\\"~\\\"\\u00e9\\\"]\", \"cache_ms\": "
    "0},\n"
    "              {\"provider\": \"file\", \"file\": \"C:\\\\p\\\"\\u00e9\\ud83d\\ude00.json\"}, {\"provider\": "
    "\"embedded\"}],\n"
    "  \"log\": {\"level\": \"debug\", \"traffic\": false}, \"journal\": \"/var/lib/herd/journal\", \"area\": "
    "true, \"fences\": \"/etc/herd/fences.geojson\",\n"
    "  \"webhook\": {\"server\": \"Riley\", \"url\": \"https://x.example/h\", \"secret_file\": \"/s\", "
    "\"queue_max\": 7},\n"
    "  \"database\": {\"kind\": \"redis\", \"dsn_file\": \"/etc/herd/dsn\", \"library\": \"/lib/a\\\"b.so\", "
    "\"flush_ms\": 1, \"batch\": 2, \"history\": \"samples\", \"retention_days\": 3, \"adopt_ms\": 4000, "
    "\"read_through\": true, \"warm_start\": true, \"geo\": true},\n"
    "  \"limits\": {\"records_max\": 7, \"close_after_reply\": 1, \"redial_min_ms\": 10, \"redial_max_ms\": 10} "
    "}\n";

/* And what is beside it: who is who, several herds, HTTP. */
static const char trust[] =
    "{\"servers\": {\"A\": {\"host\": \"::1\", \"port\": 1, \"http_port\": 2, \"http_listen\": [\"127.0.0.1\", "
    "\"localhost\"], \"admin_port\": 3}, \"B\": {\"port\": 4}}, \"links\": [[\"A\", \"B\"]],\n"
    " \"herd\": \"h\", \"shards\": {\"herds\": {\"h\": {}, \"s\": {\"servers\": [\"a:1\", \"[2001:db8::1]:2\"], "
    "\"http\": "
    "\"https://s:1\"}, \"t\": {\"servers\": [\"b:3\"]}}, \"key_file\": \"/k\"},\n"
    " \"http\": {\"hosts\": [\"h.example\", \"::2\"], \"origins\": [\"https://m.example\"], \"proxies\": "
    "[\"10.0.0.0/8\"], \"open\": true}, \"secret_file\": \"/x\", \"identities\": \"/i\", \"psk_file\": \"/p\",\n"
    " \"tls\": {\"mode\": \"allow\", \"certificate\": \"/c\", \"key\": \"/y\", \"ca\": \"/a\", \"crl\": \"/r\", "
    "\"min_version\": \"1.3\"}, \"area\": true, \"webhook\": {\"server\": \"B\", \"url\": \"https://w/\", "
    "\"ca_file\": "
    "\"/wa\", \"timeout_ms\": 100}, \"database\": {\"kind\": \"postgres\", \"dsn_file\": \"/d\", \"history\": "
    "\"none\"}}";

static struct herd_config *parse(const char *json)
{
    struct herd_config *config = NULL;
    struct herd_diagnostic diagnostic = {0};
    int err = herd_config_parse(&config, herd_span_of(json), &diagnostic);
    if (err < 0)
        fail_msg("%u:%u: %s", diagnostic.line, diagnostic.column, diagnostic.message);
    return config;
}

static void same_text(const char *a, const char *b)
{
    assert_int_equal(!a, !b);
    if (a && b)
        assert_string_equal(a, b);
}

static void same_texts(char *const *a, size_t a_count, char *const *b, size_t b_count)
{
    assert_int_equal(a_count, b_count);
    for (size_t i = 0; i < a_count; i++)
        same_text(a[i], b[i]);
}

static void same(const struct herd_config *a, const struct herd_config *b)
{
    assert_int_equal(a->server_count, b->server_count);
    for (size_t i = 0; i < a->server_count; i++) {
        same_text(a->servers[i].name, b->servers[i].name);
        same_text(a->servers[i].host, b->servers[i].host);
        assert_int_equal(a->servers[i].port, b->servers[i].port);
        assert_int_equal(a->servers[i].plain, b->servers[i].plain);
        assert_int_equal(a->servers[i].listen_count, b->servers[i].listen_count);
        for (size_t j = 0; j < a->servers[i].listen_count; j++)
            same_text(a->servers[i].listen[j], b->servers[i].listen[j]);
        assert_int_equal(a->servers[i].plain_sender, b->servers[i].plain_sender);
    }
    assert_int_equal(a->link_count, b->link_count);
    for (size_t i = 0; i < a->link_count; i++) {
        assert_int_equal(a->links[i].a, b->links[i].a);
        assert_int_equal(a->links[i].b, b->links[i].b);
    }
    assert_int_equal(a->provider_count, b->provider_count);
    for (size_t i = 0; i < a->provider_count; i++) {
        const struct herd_config_provider *left = &a->providers[i], *right = &b->providers[i];
        same_text(left->kind, right->kind);
        same_text(left->url, right->url);
        same_text(left->key_file, right->key_file);
        same_text(left->key_env, right->key_env);
        same_text(left->ca_file, right->ca_file);
        same_text(left->file, right->file);
        same_text(left->fields, right->fields);
        same_text(left->filter, right->filter);
        assert_int_equal(left->timeout_ms, right->timeout_ms);
        assert_int_equal(left->cache_ms, right->cache_ms);
        assert_int_equal(left->in_flight_max, right->in_flight_max);
    }
    assert_int_equal(a->log_level, b->log_level);
    assert_int_equal(a->log_traffic, b->log_traffic);
    same_text(a->journal, b->journal);
    assert_int_equal(a->area, b->area);
    same_text(a->fences, b->fences);
    same_text(a->webhook.server, b->webhook.server);
    same_text(a->webhook.url, b->webhook.url);
    same_text(a->webhook.secret_file, b->webhook.secret_file);
    same_text(a->webhook.ca_file, b->webhook.ca_file);
    assert_int_equal(a->webhook.timeout_ms, b->webhook.timeout_ms);
    assert_int_equal(a->webhook.queue_max, b->webhook.queue_max);
    same_text(a->database.kind, b->database.kind);
    same_text(a->database.dsn_file, b->database.dsn_file);
    same_text(a->database.library, b->database.library);
    const struct herd_config_database *p = &a->database, *q = &b->database;
    assert_true(p->flush_ms == q->flush_ms && p->batch == q->batch && p->history == q->history &&
                p->retention_days == q->retention_days && p->adopt_ms == q->adopt_ms &&
                p->read_through == q->read_through && p->warm_start == q->warm_start && p->geo == q->geo);
    assert_memory_equal(&a->limits, &b->limits, sizeof a->limits);
    for (size_t i = 0; i < a->server_count; i++) {
        assert_int_equal(a->servers[i].http_port, b->servers[i].http_port);
        assert_int_equal(a->servers[i].admin_port, b->servers[i].admin_port);
        same_texts(a->servers[i].http_listen, a->servers[i].http_listen_count, b->servers[i].http_listen,
                   b->servers[i].http_listen_count);
    }
    same_text(a->herd, b->herd);
    same_text(a->secret_file, b->secret_file);
    same_text(a->identities, b->identities);
    same_text(a->psk_file, b->psk_file);
    assert_int_equal(a->tls.mode, b->tls.mode);
    same_text(a->tls.certificate, b->tls.certificate);
    same_text(a->tls.key, b->tls.key);
    same_text(a->tls.ca, b->tls.ca);
    same_text(a->tls.crl, b->tls.crl);
    assert_int_equal(a->tls.tls_1_2, b->tls.tls_1_2);
    const struct herd_config_http *g = &a->http, *h = &b->http;
    same_texts(g->hosts, g->host_count, h->hosts, h->host_count);
    same_texts(g->origins, g->origin_count, h->origins, h->origin_count);
    same_texts(g->proxies, g->proxy_count, h->proxies, h->proxy_count);
    assert_int_equal(g->open, h->open);
    same_text(a->shards.self, b->shards.self);
    same_text(a->shards.key_file, b->shards.key_file);
    assert_int_equal(a->shards.herd_count, b->shards.herd_count);
    for (size_t i = 0; i < a->shards.herd_count; i++) {
        const struct herd_config_shard *x = &a->shards.herds[i], *y = &b->shards.herds[i];
        same_text(x->name, y->name);
        same_text(x->http, y->http);
        assert_int_equal(x->server_count, y->server_count);
        for (size_t j = 0; j < x->server_count; j++) {
            same_text(x->servers[j].host, y->servers[j].host);
            assert_int_equal(x->servers[j].port, y->servers[j].port);
        }
    }
}

/* That a configuration is what a text says; it is freed. */
static inline void free_same(struct herd_config *config, const char *json)
{
    struct herd_config *other = parse(json);
    same(config, other);
    herd_config_free(other);
    herd_config_free(config);
}

#endif
