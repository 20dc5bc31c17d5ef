/* SPDX-License-Identifier: MIT */
/* The member "shards" of a configuration. */
#include "cm.h"

#include "printed_again.h"

#include <herd/config.h>

#include <stdio.h>
#include <string.h>

#define GOOD                                                                                           \
    "{\"shards\": {\"herds\": {\"north\": {}, \"south\": {\"servers\": [\"south.example:12000\", "     \
    "\"[2001:db8::1]:65535\"], \"http\": \"https://south.example:8443\"}, \"e.a_s-t\": {\"servers\": " \
    "[\"10.0.0.1:1\"]}}, \"self\": \"north\", \"key_file\": \"/etc/herd/buckets\"}}"

static void test_good(void **state)
{
    (void)state;
    struct herd_config *config = NULL, *again = NULL;
    struct herd_diagnostic diagnostic;
    assert_int_equal(herd_config_parse(&config, herd_span_of(GOOD), &diagnostic), 0);
    for (int round = 0; round < 2; round++) {
        const struct herd_config_shards *s = round ? &again->shards : &config->shards;
        assert_int_equal(s->herd_count, 3);
        assert_string_equal(s->herds[0].name, "north");
        assert_int_equal(s->herds[0].server_count, 0);
        assert_null(s->herds[0].http);
        assert_string_equal(s->herds[1].name, "south");
        assert_int_equal(s->herds[1].server_count, 2);
        assert_string_equal(s->herds[1].servers[0].host, "south.example");
        assert_int_equal(s->herds[1].servers[0].port, 12000);
        assert_string_equal(s->herds[1].servers[1].host, "2001:db8::1");
        assert_int_equal(s->herds[1].servers[1].port, 65535);
        assert_string_equal(s->herds[1].http, "https://south.example:8443");
        assert_string_equal(s->herds[2].name, "e.a_s-t");
        assert_string_equal(s->herds[2].servers[0].host, "10.0.0.1");
        assert_string_equal(s->self, "north");
        assert_string_equal(s->key_file, "/etc/herd/buckets");
        if (round == 0)
            printed_again(config, &again);
    }
    herd_config_free(config);
    herd_config_free(again);

    assert_int_equal(herd_config_parse(&config, herd_span_of("{}"), &diagnostic), 0);
    assert_int_equal(config->shards.herd_count, 0);
    herd_config_free(config);
    /* Which it is follows from "herd", wherever that stands. */
    assert_int_equal(
        herd_config_parse(&config, herd_span_of("{\"shards\": {\"herds\": {\"h\": {}}}, \"herd\": \"h\"}"), NULL),
        0);
    assert_string_equal(config->shards.self, "h");
    herd_config_free(config);
}

#define HERDS(of_south) "{\"shards\": {\"self\": \"n\", \"herds\": {\"n\": {}, \"s\": " of_south "}}}"

static void test_bad(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{\"shards\": []}", "shards: expected an object"},
        {"{\"shards\": {}}", "shards: expected \"herds\""},
        {"{\"shards\": {\"herds\": {}}}", "shards.herds: expected 1 to 1024 herds, found 0"},
        {"{\"shards\": {\"herds\": []}}", "shards.herds: expected an object"},
        {"{\"shards\": {\"herds\": {\"n\": {}}}}", "shards: expected \"self\", or \"herd\" beside"},
        {"{\"shards\": {\"herds\": {\"n\": {}}, \"self\": \"m\"}}", "shards: none of the herds is m"},
        {"{\"shards\": {\"herds\": {\"a b\": {}}, \"self\": \"n\"}}", "shards.herds.a b: the name of a herd"},
        {"{\"shards\": {\"herds\": {\"\": {}}, \"self\": \"n\"}}", "the name of a herd"},
        {"{\"shards\": {\"herd\": {}}}", "shards.herd: unknown member, expected herds, self or key_file"},
        {HERDS("{}"), "shards: expected \"servers\" of herd s"},
        {HERDS("[]"), "shards.herds.s: expected an object"},
        {HERDS("{\"server\": 1}"), "shards.herds.s.server: unknown member, expected servers or http"},
        {HERDS("{\"servers\": \"a:1\"}"), "shards.herds.s.servers: expected a list"},
        {HERDS("{\"servers\": []}"), "shards.herds.s.servers: expected 1 to 64 servers, found 0"},
        {HERDS("{\"servers\": [1]}"), "shards.herds.s.servers[0]: expected a string"},
        {HERDS("{\"servers\": [\"a:1\", \"a\"]}"), "shards.herds.s.servers[1]: expected \"host:port\""},
        {HERDS("{\"servers\": [\"a:0\"]}"), "expected \"host:port\""},
        {HERDS("{\"servers\": [\"a:65536\"]}"), "expected \"host:port\""},
        {HERDS("{\"servers\": [\"a:000001\"]}"), "expected \"host:port\""},
        {HERDS("{\"servers\": [\"a:1x\"]}"), "expected \"host:port\""},
        {HERDS("{\"servers\": [\"a:\"]}"), "expected \"host:port\""},
        {HERDS("{\"servers\": [\":1\"]}"), "expected \"host:port\""},
        {HERDS("{\"servers\": [\"[]:1\"]}"), "expected \"host:port\""},
        {HERDS("{\"servers\": [\"[a]:1\"]}"), "expected \"host:port\""},
        {HERDS("{\"servers\": [\"::1:1\"]}"), "expected \"host:port\""},
        {HERDS("{\"servers\": [\"a b:1\"]}"), "expected \"host:port\""},
        {HERDS("{\"servers\": [\"http://a:1\"]}"), "expected \"host:port\""},
        {HERDS("{\"servers\": [\"a:1\"], \"http\": \"a:1\"}"), "shards.herds.s.http: expected where its HTTP is"},
        {HERDS("{\"servers\": [\"a:1\"], \"http\": \"https://a/b\"}"), "expected where its HTTP is"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_config *config = NULL;
        struct herd_diagnostic diagnostic = {0};
        int err = herd_config_parse(&config, herd_span_of(rows[i][0]), &diagnostic);
        if (err >= 0 || !strstr(diagnostic.message, rows[i][1]))
            fail_msg("%s\n  %s\n  %s", rows[i][0], diagnostic.message, rows[i][1]);
    }
}

/* A thousand herds and one more; a host of 255 bytes and one more; 64 servers and one more. */
static void test_bounds(void **state)
{
    (void)state;
    struct herd_diagnostic diagnostic;
    for (int more = 0; more < 2; more++) {
        struct herd_buf text = {0};
        struct herd_config *config = NULL;
        herd_buf_add_text(&text, "{\"shards\": {\"self\": \"h0\", \"herds\": {");
        for (int i = 0; i < 1024 + more; i++) {
            char one[64];
            snprintf(one, sizeof one, "%s\"h%d\": {\"servers\": [\"a:1\"]}", i ? "," : "", i);
            herd_buf_add_text(&text, one);
        }
        herd_buf_add_text(&text, "}}}");
        int err = herd_config_parse(&config, (struct herd_span){text.at, text.len}, &diagnostic);
        assert_int_equal(err, more ? HERD_E_RANGE : 0);
        herd_config_free(config);
        config = NULL;
        text.len = 0;
        herd_buf_add_text(&text, "{\"shards\": {\"self\": \"n\", \"herds\": {\"n\": {}, \"s\": {\"servers\": [\"");
        for (int i = 0; i < 255 + more; i++)
            herd_buf_add(&text, "a", 1);
        herd_buf_add_text(&text, ":1\"]}}}}");
        err = herd_config_parse(&config, (struct herd_span){text.at, text.len}, &diagnostic);
        assert_int_equal(err, more ? HERD_E_SYNTAX : 0);
        herd_config_free(config);
        config = NULL;
        text.len = 0;
        herd_buf_add_text(&text,
                          "{\"shards\": {\"self\": \"n\", \"herds\": {\"n\": {}, \"s\": {\"servers\": [\"a:1\"");
        for (int i = 1; i < 64 + more; i++)
            herd_buf_add_text(&text, ", \"a:1\"");
        herd_buf_add_text(&text, "]}}}}");
        err = herd_config_parse(&config, (struct herd_span){text.at, text.len}, &diagnostic);
        assert_int_equal(err, more ? HERD_E_RANGE : 0);
        herd_config_free(config);
        herd_buf_fini(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
