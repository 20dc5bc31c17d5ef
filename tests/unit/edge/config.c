/* SPDX-License-Identifier: MIT */
#include "cm.h"
#include "temp.h"

#include "alloc.h"
#include "config_reader.h"

#include <herd/config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void test_default(void **state)
{
    (void)state;
    static const char *const names[] = {"Riley", "Jaquez", "Juzang", "Campbell", "Bernard"};
    static const char *const links[] = {"Riley-Jaquez",   "Riley-Juzang",     "Bernard-Jaquez",
                                        "Bernard-Juzang", "Bernard-Campbell", "Juzang-Campbell"};
    struct herd_config *config = NULL;
    assert_int_equal(herd_config_default(&config), 0);
    assert_int_equal(config->server_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(config->servers[i].name, names[i]);
        assert_string_equal(config->servers[i].host, "127.0.0.1");
        assert_int_equal(config->servers[i].port, 12000 + i);
        assert_false(config->servers[i].plain);
        assert_int_equal(herd_config_find(config, herd_span_of(names[i])), i);
    }
    assert_int_equal(herd_config_find(config, herd_span_of("riley")), HERD_E_NOTFOUND);
    assert_int_equal(herd_config_find(config, herd_span_of("Rile")), HERD_E_NOTFOUND);
    assert_int_equal(herd_config_find(config, (struct herd_span){NULL, 0}), HERD_E_NOTFOUND);
    assert_int_equal(config->link_count, 6);
    for (size_t i = 0; i < 6; i++) {
        char link[64];
        snprintf(link, sizeof link, "%s-%s", names[config->links[i].a], names[config->links[i].b]);
        assert_string_equal(link, links[i]);
    }
    assert_int_equal(config->provider_count, 1);
    assert_string_equal(config->providers[0].kind, "embedded");
    assert_int_equal(config->log_level, HERD_LOG_INFO);
    assert_true(config->log_traffic);
    assert_null(config->journal);
    assert_false(config->area);
    assert_null(config->fences);
    assert_null(config->webhook.server);
#define CHECK(name, standard, least, greatest, what) \
    assert_int_equal(config->limits.name, standard); \
    assert_true(standard >= least && standard <= greatest);
    HERD_LIMIT_LIST(CHECK)
#undef CHECK
    struct herd_config *empty = parse(" {\t\r\n} ");
    same(config, empty);
    herd_config_free(empty);
    herd_config_free(config);
    herd_config_free(NULL);
}

static void test_full(void **state)
{
    (void)state;
    struct herd_config *config = parse(full);
    assert_int_equal(config->server_count, 3);
    assert_string_equal(config->servers[0].host, "10.0.0.1");
    assert_string_equal(config->servers[1].host, "127.0.0.1");
    assert_int_equal(config->servers[1].port, 65535);
    assert_true(config->servers[1].plain && config->servers[1].plain_sender);
    assert_int_equal(config->servers[0].listen_count, 1);
    assert_string_equal(config->servers[0].listen[0], "*");
    assert_int_equal(config->servers[1].listen_count, 2);
    assert_string_equal(config->servers[1].listen[1], "a-b.example");
    assert_int_equal(config->servers[2].listen_count, 0); /* where its host is */
    assert_int_equal(herd_config_find(config, herd_span_of("v6")), 2);
    assert_int_equal(config->link_count, 2);
    assert_int_equal(config->links[0].b, 2);
    assert_int_equal(config->links[1].a, 1);
    assert_int_equal(config->provider_count, 5);
    assert_string_equal(config->providers[0].url, "http://127.0.0.1:8080/v1");
    assert_int_equal(config->providers[0].timeout_ms, 50);
    assert_int_equal(config->providers[0].in_flight_max, 8);
    assert_int_equal(config->providers[1].timeout_ms, 5000);
    assert_int_equal(config->providers[1].in_flight_max, 3);
    assert_int_equal(config->providers[2].in_flight_max, 1);
    assert_int_equal(config->providers[2].cache_ms, 0);
    assert_string_equal(config->providers[3].file, "C:\\p\"\xc3\xa9\xf0\x9f\x98\x80.json");
    assert_int_equal(config->log_level, HERD_LOG_DEBUG);
    assert_false(config->log_traffic);
    assert_string_equal(config->journal, "/var/lib/herd/journal");
    assert_true(config->area);
    assert_string_equal(config->fences, "/etc/herd/fences.geojson");
    assert_string_equal(config->webhook.url, "https://x.example/h");
    assert_int_equal(config->webhook.timeout_ms, 10000);
    assert_int_equal(config->webhook.queue_max, 7);
    assert_string_equal(config->database.kind, "redis");
    assert_string_equal(config->database.library, "/lib/a\"b.so");
    assert_true(config->database.history && config->database.read_through && config->database.geo);
    assert_int_equal(config->database.flush_ms, 1);
    assert_int_equal(config->database.adopt_ms, 4000);
    assert_int_equal(config->limits.records_max, 7);
    assert_int_equal(config->limits.close_after_reply, 1);
    assert_int_equal(config->limits.lookups_max, 64);
    herd_config_free(config);
}

static void test_what_is_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *json, *kind;
        size_t servers, links;
    } rows[] = {
        {"{\"log\": {}}", "embedded", 5, 6},
        {"{\"servers\": {\"A\": {\"port\": 1}}}", "embedded", 1, 0},
        {"{\"links\": []}", "embedded", 5, 0},
        {"{\"links\": [[\"Riley\", \"Campbell\"]]}", "embedded", 5, 1},
        {"{\"links\": [[\"B\", \"A\"]], \"servers\": {\"A\": {\"port\": 1}, \"B\": {\"port\": 2}}}", "embedded", 2,
         1},
        {"{\"s\\u0065rvers\": {\"\\u0041\": {\"p\\u006frt\": 1}}, \"limits\": {}}", "embedded", 1, 0},
        {"{\"places\": {}}", "embedded", 5, 6},
        {"{\"places\": {\"key_file\": \"k\"}}", "google-new", 5, 6},
        {"{\"places\": [{\"key_env\": \"K\"}]}", "google-new", 5, 6},
        {"{\"places\": {\"file\": \"f\"}}", "file", 5, 6},
        {"{\"places\": {\"in_flight_max\": 2, \"provider\": \"overpass\"}}", "overpass", 5, 6},
        {"{\"places\": {\"provider\": \"google-legacy\", \"url\": \"http://localhost/\"}}", "google-legacy", 5, 6},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_config *config = parse(rows[i].json);
        assert_int_equal(config->server_count, rows[i].servers);
        assert_int_equal(config->link_count, rows[i].links);
        assert_string_equal(config->providers[0].kind, rows[i].kind);
        herd_config_free(config);
    }
}

static void test_urls_that_are_fine(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "https://places.googleapis.com/v1/places:searchNearby",
        "https://h",
        "https://h:443",
        "https://[2001:db8::1]:8/",
        "https://u/a@b",
        "http://127.0.0.1",
        "http://127.255.0.9:1/x",
        "http://localhost:65535/a%20b",
        "http://LocalHost",
        "http://[::1]",
        "http://[::1]:80/",
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        char json[256];
        snprintf(json, sizeof json, "{\"places\": {\"url\": \"%s\"}}", urls[i]);
        struct herd_config *config = parse(json);
        assert_string_equal(config->providers[0].url, urls[i]);
        herd_config_free(config);
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    static const char *const texts[] = {full,
                                        trust,
                                        "{}",
                                        "{\"links\": []}",
                                        "{\"servers\": {\"A\": {\"port\": 1}}}",
                                        "{\"http\": {\"origins\": [\"http://a:1\"]}}",
                                        "{\"http\": {\"proxies\": [\"::1\"]}}",
                                        "{\"http\": {\"open\": true}}",
                                        "{\"tls\": {\"mode\": \"off\", \"ca\": \"/a\"}}",
                                        "{\"journal\": \"/a\\\\b\\\"\\ue000\\ud83d\\uDE00\\uABCD\"}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct herd_config *config = parse(texts[i]);
        struct herd_buf text = {0}, again = {0};
        assert_int_equal(herd_buf_add_text(&text, "kept"), 0);
        assert_int_equal(herd_config_print(config, &text), 0);
        assert_int_equal(herd_buf_add(&text, "", 1), 0);
        assert_memory_equal(text.at, "kept", 4);
        struct herd_config *other = parse(text.at + 4);
        same(config, other);
        assert_int_equal(herd_config_print(other, &again), 0);
        assert_int_equal(again.len, text.len - 5);
        assert_memory_equal(again.at, text.at + 4, again.len);
        herd_buf_fini(&text);
        herd_buf_fini(&again);
        herd_config_free(other);
        herd_config_free(config);
    }
}

/* However a file is cut or hurt, it is either wrong, with its place, or a configuration. */
static void test_cut_and_hurt(void **state)
{
    (void)state;
    const size_t len = sizeof full - 1;
    char *json = malloc(len);
    assert_non_null(json);
    memcpy(json, full, len);
    for (size_t cut = 0; cut < len - 1; cut++) {
        struct herd_config *config = NULL;
        struct herd_diagnostic diagnostic = {0};
        char *copy = malloc(cut + 1);
        assert_non_null(copy);
        memcpy(copy, full, cut);
        assert_int_equal(herd_config_parse(&config, (struct herd_span){copy, cut}, &diagnostic), HERD_E_SYNTAX);
        assert_true(strstr(diagnostic.message, "found the end of the text") ||
                    strstr(diagnostic.message, "found half of one"));
        assert_true(diagnostic.line >= 1 && diagnostic.column >= 1);
        free(copy);
    }
    for (size_t at = 0; at < len; at++) {
        static const unsigned char bytes[] = {0,    '\n', '"', '\'', ',', '0',  '[',
                                              '\\', ']',  'a', '{',  '}', 0x80, 0xff};
        for (size_t i = 0; i < sizeof bytes; i++) {
            struct herd_config *config = NULL;
            struct herd_diagnostic diagnostic = {0};
            json[at] = (char)bytes[i];
            int err = herd_config_parse(&config, (struct herd_span){json, len}, &diagnostic);
            assert_int_equal(err == 0, config != NULL);
            if (err < 0)
                assert_true(diagnostic.message[0] && diagnostic.line >= 1);
            herd_config_free(config);
        }
        json[at] = full[at];
    }
    free(json);
}

static void test_a_large_herd_is_quick(void **state)
{
    (void)state;
    enum { SERVERS = 20000 };
    struct herd_buf json = {0};
    char piece[128];
    assert_int_equal(herd_buf_add_text(&json, "{\"servers\": {"), 0);
    for (int i = 0; i < SERVERS; i++) {
        snprintf(piece, sizeof piece, "%s\"n%d\": {\"host\": \"h%d\", \"port\": %d}", i ? ", " : "", i, i % 7,
                 i + 1);
        assert_int_equal(herd_buf_add_text(&json, piece), 0);
    }
    assert_int_equal(herd_buf_add_text(&json, "}, \"links\": ["), 0);
    for (int i = 0; i < SERVERS; i++) {
        snprintf(piece, sizeof piece, "%s[\"n%d\", \"n%d\"]", i ? ", " : "", i, (i * 7 + 1) % SERVERS);
        if (i != (i * 7 + 1) % SERVERS)
            assert_int_equal(herd_buf_add_text(&json, piece), 0);
    }
    assert_int_equal(herd_buf_add(&json, "]}", 3), 0);
    struct herd_config *config = parse(json.at);
    assert_int_equal(config->server_count, SERVERS);
    assert_int_equal(config->links[1].b, 8);
    herd_config_free(config);
    herd_buf_fini(&json);
}

static void test_file(void **state)
{
    (void)state;
    char path[TEMP_LEN];
    struct herd_config *config = NULL;
    struct herd_diagnostic diagnostic;
    int fd = temp_file(path);
    assert_int_equal(write(fd, full, sizeof full - 1), sizeof full - 1);
    assert_int_equal(herd_config_read(&config, path, &diagnostic), 0);
    struct herd_config *other = parse(full);
    same(config, other);
    herd_config_free(other);
    herd_config_free(config);
    config = NULL;

    assert_int_equal(write(fd, "\n}", 2), 2);
    assert_int_equal(herd_config_read(&config, path, &diagnostic), HERD_E_SYNTAX);
    assert_int_equal(diagnostic.line, 14);
    assert_int_equal(diagnostic.column, 1);
    assert_int_equal(ftruncate(fd, (16 << 20) + 1), 0);
    assert_int_equal(herd_config_read(&config, path, &diagnostic), HERD_E_RANGE);
    assert_string_equal(diagnostic.message, "expected at most 16777216 bytes, found more");
    assert_int_equal(diagnostic.line, 0);
    assert_int_equal(ftruncate(fd, 16 << 20), 0);
    assert_int_equal(herd_config_read(&config, path, &diagnostic), HERD_E_SYNTAX);
    close(fd);
    unlink(path);

    assert_int_equal(herd_config_read(&config, path, &diagnostic), HERD_E_IO);
    assert_string_equal(diagnostic.message, "cannot read the file: No such file or directory");
    assert_int_equal(diagnostic.line, 0);
    assert_int_equal(diagnostic.column, 0);
    assert_int_equal(herd_config_read(&config, path, NULL), HERD_E_IO);
    assert_int_equal(herd_config_read(&config, "/tmp", &diagnostic), HERD_E_IO);
    assert_string_equal(diagnostic.message, "cannot read the file: Is a directory");
    assert_null(config);
}

/* What a program puts into a configuration is printed as JSON, whatever it is. */
static void test_texts_of_a_program(void **state)
{
    (void)state;
    struct herd_buf text = {0};
    struct herd_config *config =
        parse("{\"journal\": \"j\", \"database\": {\"kind\": \"redis\", \"dsn_file\": \"d\"}}");
    strcpy(config->journal, "\x1f");
    char *was = config->database.kind, kind[200];
    memset(kind, 'k', sizeof kind - 1);
    kind[7] = '"';
    kind[sizeof kind - 1] = '\0';
    config->database.kind = kind;
    assert_int_equal(herd_config_print(config, &text), 0);
    assert_int_equal(herd_buf_add(&text, "", 1), 0);
    assert_non_null(strstr(text.at, "\"journal\": \"\\u001f\",\n"));
    const char *at = strstr(text.at, "\"kind\": \"kkkkkkk\\\"k");
    assert_non_null(at);
    assert_memory_equal(at + strlen("\"kind\": \"") + sizeof kind, "\", \"dsn_file\": \"d\"", 18);
    config->database.kind = was;
    herd_config_free(config);
    herd_buf_fini(&text);
}

/* ---- all faults of a file ---- */

static struct {
    size_t count;
    struct herd_diagnostic last;
    char all[4096];
} reported;

static void on_report(void *ctx, const struct herd_diagnostic *diagnostic)
{
    assert_ptr_equal(ctx, &reported);
    reported.count++;
    reported.last = *diagnostic;
    const size_t len = strlen(reported.all);
    snprintf(reported.all + len, sizeof reported.all - len, "%u:%u %s\n", diagnostic->line, diagnostic->column,
             diagnostic->message);
}

static int examine(const char *path, struct herd_config **ret_config, struct herd_config_places *ret_places)
{
    memset(&reported, 0, sizeof reported);
    return herd_config_examine(ret_config, ret_places, path, on_report, &reported);
}

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Each fault with its place, and what was right is there. */
static void test_examined(void **state)
{
    (void)state;
    char path[TEMP_LEN];
    struct herd_config *config = NULL;
    struct herd_config_places places;
    close(temp_file(path));
    put_file(path, trust);
    assert_int_equal(examine(path, &config, &places), 0);
    assert_int_equal(reported.count, 0);
    struct herd_config *other = parse(trust);
    same(config, other);
    herd_config_free(other);
    herd_config_free(config);
    const char *b = strstr(trust, "\"B\": {") + strlen("\"B\": ");
    assert_true(places.servers[1].line == 1 && places.servers[1].column == (unsigned)(b - trust) + 1);
    assert_true(places.trust[HERD_CONFIG_SHARDS_KEY].line == 2);
    herd_config_places_fini(&places);

    put_file(path, "{\"servers\": {\"a\": {\"port\": \"x\"},\n"
                   " \"b\": {\"port\": 1, \"http_port\": 1},\n"
                   " \"c\": {\"port\": 2, \"http_port\": 2, \"host\": \"LOCALHOST\"},\n"
                   " \"d\": {\"port\": 2, \"http_port\": 3, \"host\": \"ip6-localhost\"},\n"
                   " \"e\": {\"port\": 9, \"http_port\": 5, \"host\": \"10.0.0.1\"},\n"
                   " \"f\": {\"port\": 9, \"http_port\": 5, \"host\": \"10.0.0.2\", \"plain\": true}},\n"
                   " \"places\": [7, {\"provider\": \"nowhere\"}, {\"provider\": \"file\"}],\n"
                   " \"webhook\": {\"server\": \"e\"}, \"nothing\": 1}");
    assert_true(examine(path, &config, &places) < 0);
    assert_string_equal(reported.all, "8:30 nothing: unknown member, expected servers, links, places, log, "
                                      "journal, area, fences, webhook, database, "
                                      "limits, http, herd, shards, secret_file, identities, psk_file or tls\n"
                                      "1:28 servers.a.port: expected a whole number from 1 to 65535, found \"x\"\n"
                                      "7:13 places[0]: expected an object, found 7\n"
                                      "7:29 places[1].provider: expected google-new, google-legacy, file, embedded "
                                      "or overpass, found \"nowhere\"\n"
                                      "7:41 places[2]: expected file, found none\n"
                                      "8:13 webhook: expected a server and a url\n"
                                      "8:13 webhook: expected \"area\": true beside it\n"
                                      "2:32 servers.b.http_port: same host and port as port of b: 127.0.0.1:1\n"
                                      "3:32 servers.c.http_port: same host and port as port of c: LOCALHOST:2\n"
                                      "5:32 servers.e.http_port: everybody who reaches 10.0.0.1 could report and "
                                      "ask: expected \"identities\", a loopback "
                                      "address in http_listen, or \"http\": {\"open\": true}\n");
    assert_non_null(config);
    assert_int_equal(config->server_count, 6);
    assert_int_equal(config->provider_count, 3);
    herd_config_free(config);
    herd_config_places_fini(&places);

    put_file(path, "");
    assert_int_equal(truncate(path, (16 << 20) + 1), 0);
    assert_int_equal(examine(path, &config, &places), HERD_E_RANGE);
    assert_string_equal(reported.all, "0:0 expected at most 16777216 bytes, found more\n");
    assert_null(config);
    put_file(path, "");
    assert_int_equal(examine(path, &config, &places), HERD_E_SYNTAX);
    assert_string_equal(reported.all, "1:1 expected an object, found the end of the text\n");
    unlink(path);
    assert_int_equal(examine(path, &config, &places), HERD_E_IO);
    assert_string_equal(reported.all, "0:0 cannot read the file: No such file or directory\n");
}

/* ---- calls that fail ---- */

ssize_t __real_read(int fd, void *to, size_t len);
ssize_t __wrap_read(int fd, void *to, size_t len);
static int read_fails[4]; /* errno of the next calls; 0: they go on */
static size_t read_calls;

ssize_t __wrap_read(int fd, void *to, size_t len)
{
    const int fails = read_calls < sizeof read_fails / sizeof *read_fails ? read_fails[read_calls] : 0;
    read_calls++;
    if (fails) {
        errno = fails;
        return -1;
    }
    return __real_read(fd, to, len < 700 ? len : 700);
}

static void test_reads_that_fail(void **state)
{
    (void)state;
    char path[TEMP_LEN];
    struct herd_config *config = NULL;
    struct herd_diagnostic diagnostic;
    close(temp_file(path));
    put_file(path, full);
    for (size_t n = 0; n < 3; n++) {
        memset(read_fails, 0, sizeof read_fails);
        read_fails[n] = EINTR;
        read_calls = 0;
        assert_int_equal(herd_config_read(&config, path, &diagnostic), 0);
        struct herd_config *other = parse(full);
        same(config, other);
        herd_config_free(other);
        herd_config_free(config);
        config = NULL;
        read_fails[n] = EIO;
        read_calls = 0;
        assert_int_equal(herd_config_read(&config, path, &diagnostic), HERD_E_IO);
        assert_string_equal(diagnostic.message, "cannot read the file: Input/output error");
        assert_null(config);
        assert_int_equal(read_calls, n + 1);
    }
    memset(read_fails, 0, sizeof read_fails);
    unlink(path);
}

/* What json-c answers when it has no memory, and when it does not take what was found to be JSON. */
static enum { JSON_AS_EVER, JSON_NO_TOKENER, JSON_NO_TREE, JSON_OPEN, JSON_REFUSED } json_fails;
static unsigned json_call; /* the call that fails, counted from 1 */

struct json_tokener *__real_json_tokener_new(void);
struct json_tokener *__wrap_json_tokener_new(void);
struct json_tokener *__real_json_tokener_new_ex(int depth);
struct json_tokener *__wrap_json_tokener_new_ex(int depth);
struct json_object *__real_json_tokener_parse_ex(struct json_tokener *tokener, const char *at, int len);
struct json_object *__wrap_json_tokener_parse_ex(struct json_tokener *tokener, const char *at, int len);

struct json_tokener *__wrap_json_tokener_new(void)
{
    return json_fails == JSON_NO_TOKENER && --json_call == 0 ? NULL : __real_json_tokener_new();
}

struct json_tokener *__wrap_json_tokener_new_ex(int depth)
{
    return json_fails == JSON_NO_TOKENER && --json_call == 0 ? NULL : __real_json_tokener_new_ex(depth);
}

struct json_object *__wrap_json_tokener_parse_ex(struct json_tokener *tokener, const char *at, int len)
{
    if (json_fails <= JSON_NO_TOKENER || --json_call != 0)
        return __real_json_tokener_parse_ex(tokener, at, len);
    switch (json_fails) {
    case JSON_OPEN: return __real_json_tokener_parse_ex(tokener, at, len - 1);
    case JSON_REFUSED: return __real_json_tokener_parse_ex(tokener, "{x}", 3);
    default: return NULL;
    }
}

static void test_json_c_fails(void **state)
{
    (void)state;
    static const char text[] = "{\"s\\u0065rvers\": {\"\\u0041\": {\"port\": 1}}}";
    static const struct {
        int fails;
        unsigned call;
        int err;
        const char *what;
    } rows[] = {
        {JSON_NO_TOKENER, 1, HERD_E_NOMEM, "out of memory"},
        {JSON_NO_TOKENER, 2, HERD_E_NOMEM, "out of memory"},
        {JSON_NO_TOKENER, 3, HERD_E_NOMEM, "out of memory"},
        {JSON_NO_TREE, 1, HERD_E_NOMEM, "out of memory"},
        {JSON_NO_TREE, 2, HERD_E_NOMEM, "out of memory"},
        {JSON_OPEN, 1, HERD_E_NOMEM, "out of memory"},
        {JSON_REFUSED, 1, HERD_E_SYNTAX, "quoted object property name expected"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_config *config = NULL;
        struct herd_diagnostic diagnostic = {0};
        json_fails = rows[i].fails;
        json_call = rows[i].call;
        assert_int_equal(herd_config_parse(&config, herd_span_of(text), &diagnostic), rows[i].err);
        assert_int_equal(json_call, 0);
        json_fails = JSON_AS_EVER;
        assert_null(config);
        assert_string_equal(diagnostic.message, rows[i].what);
        config = parse(text);
        assert_string_equal(config->servers[0].name, "A");
        herd_config_free(config);
    }
}

static void no_memory_for(const char *json)
{
    struct herd_config *config = NULL;
    struct herd_diagnostic diagnostic;
    struct herd_buf text = {0};
    int err;
    for (long n = 1;; n++) {
        memset(&diagnostic, 0, sizeof diagnostic);
        alloc_fail_at = n;
        err = herd_config_parse(&config, herd_span_of(json), &diagnostic);
        if (alloc_fail_at > 0)
            break;
        assert_int_equal(err, HERD_E_NOMEM);
        assert_string_equal(diagnostic.message, "out of memory");
        assert_null(config);
    }
    alloc_fail_at = 0;
    assert_int_equal(err, 0);
    struct herd_config *other = parse(json);
    same(config, other);
    herd_config_free(other);

    for (long n = 1;; n++) {
        alloc_fail_at = n;
        err = herd_config_print(config, &text);
        if (alloc_fail_at > 0)
            break;
        assert_int_equal(err, HERD_E_NOMEM);
        assert_int_equal(text.len, 0);
        herd_buf_fini(&text);
    }
    alloc_fail_at = 0;
    assert_int_equal(err, 0);
    herd_buf_fini(&text);
    herd_config_free(config);
}

/* All faults are wanted: out of memory is one, said once, and ends it. */
static void no_memory_to_examine(const char *json, int expected)
{
    char path[TEMP_LEN];
    struct herd_config *config = NULL;
    struct herd_config_places places;
    int err;
    close(temp_file(path));
    put_file(path, json);
    for (long n = 1;; n++) {
        alloc_fail_at = n;
        err = examine(path, &config, &places);
        if (alloc_fail_at > 0)
            break;
        assert_int_equal(err, HERD_E_NOMEM);
        assert_true(reported.count > 0);
        assert_string_equal(reported.last.message, "out of memory");
        assert_int_equal(reported.last.line, 0);
        assert_null(config);
        herd_config_places_fini(&places);
    }
    alloc_fail_at = 0;
    assert_int_equal(err, expected);
    assert_non_null(config);
    herd_config_free(config);
    herd_config_places_fini(&places);
    unlink(path);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct herd_config *config = NULL;
    struct herd_diagnostic diagnostic;
    char path[TEMP_LEN];
    int err;
    no_memory_for(full);
    no_memory_for(trust);
    no_memory_to_examine(full, 0);
    no_memory_to_examine(trust, 0);
    no_memory_to_examine(
        "{\"servers\": {\"a\": {\"port\": 0}, \"b\": {\"port\": 1, \"listen\": [\"b c\"]}}, \"links\": "
        "[[\"a\", \"b\"]], \"places\": [7, {\"file\": 1}], \"shards\": {\"self\": 1, \"herds\": {\"h\": {}}}}",
        HERD_E_RANGE);
    close(temp_file(path));
    put_file(path, "{}");
    alloc_fail_at = 1;
    assert_int_equal(herd_config_read(&config, path, &diagnostic), HERD_E_NOMEM);
    assert_string_equal(diagnostic.message, "out of memory");
    alloc_fail_at = 0;
    unlink(path);

    for (long n = 1;; n++) {
        alloc_fail_at = n;
        err = herd_config_default(&config);
        if (alloc_fail_at > 0)
            break;
        assert_int_equal(err, HERD_E_NOMEM);
        assert_null(config);
    }
    alloc_fail_at = 0;
    assert_int_equal(err, 0);
    herd_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_what_is_left_out),
        cmocka_unit_test(test_urls_that_are_fine),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_cut_and_hurt),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_a_large_herd_is_quick),
        cmocka_unit_test(test_texts_of_a_program),
        cmocka_unit_test(test_examined),
        cmocka_unit_test(test_reads_that_fail),
        cmocka_unit_test(test_json_c_fails),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
