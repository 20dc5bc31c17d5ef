/* SPDX-License-Identifier: MIT */
/* Configurations that are right, from a text, a file and a program, and as they are printed; files of which all faults are wanted. */
#include "temp.h"

#include "config_examined.h"
#include "config_texts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    free_same(config, full);
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
    free_same(config, trust);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
