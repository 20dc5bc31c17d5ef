/* SPDX-License-Identifier: MIT */
/* Configurations where reading the file, json-c or an allocation fails: it is said, and nothing is left. */
#include "temp.h"

#include "alloc.h"
#include "config_examined.h"
#include "config_texts.h"

#include <errno.h>
#include <unistd.h>

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
        free_same(config, full);
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
        cmocka_unit_test(test_reads_that_fail),
        cmocka_unit_test(test_json_c_fails),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
