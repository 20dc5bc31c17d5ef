/* SPDX-License-Identifier: MIT */
/* The access control list: what a text grants, and where a wrong one is wrong. */
#include "cm.h"

#include "guard.h"
#include "identities_impl.h"

#include <stdio.h>

#define HASH_A "sha256:00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
#define HASH_B "sha256:ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HASH_C "sha256:fe112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
static const unsigned char hash_b[32] = {0xff, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa,
                                         0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
                                         0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
static const uint64_t key[2] = {3, 4};

static struct herd_identities *parse(const char *text)
{
    struct herd_identities *set = NULL;
    struct herd_identities_error error = {0};
    if (herd_identities_parse(&set, guarded(herd_span_of(text)), key, &error) < 0)
        fail_msg("line %u, column %u: %s", error.line, error.column, error.message);
    return set;
}

static struct herd_identity *named(const struct herd_identities *set, const char *name)
{
    struct herd_identity *identity = herd_identities_find(set, herd_span_of(name));
    assert_non_null(identity);
    assert_true(herd_span_equal(herd_identity_name(identity), herd_span_of(name)));
    return identity;
}

static bool reports(const struct herd_identity *identity, const char *id)
{
    return herd_identity_may_report(identity, herd_span_of(id));
}

static bool deletes(const struct herd_identity *identity, const char *id)
{
    return herd_identity_may_delete(identity, herd_span_of(id));
}

static bool asks(const struct herd_identity *identity, const char *id)
{
    return herd_identity_may_ask(identity, herd_span_of(id));
}

/* A group of ids, as of a proximity: whether there may be one that may be asked for. */
static void test_groups(void **state)
{
    (void)state;
    struct herd_identities *set = parse("some cert - taxi-*,rider-7,a\nall cert - *\nnone cert - -\n");
    const struct {
        const char *prefix;
        bool meets;
    } groups[] = {{"", true},      {"t", true},        {"taxi-", true},     {"taxi-1", true}, {"taxj", false},
                  {"rider", true}, {"rider-7", true},  {"rider-77", false}, {"a", true},      {"ab", false},
                  {"taxi", true},  {"taxi-123", true}, {"x", false}};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        const struct herd_span prefix = herd_span_of(groups[i].prefix);
        assert_int_equal(herd_patterns_meet(named(set, "some")->ask, prefix), groups[i].meets);
        assert_true(herd_patterns_meet(named(set, "all")->ask, prefix));
        assert_false(herd_patterns_meet(named(set, "none")->ask, prefix));
    }
    herd_identities_free(set);
}

static void test_file(void **state)
{
    (void)state;
    struct herd_identities *set =
        parse("# who   proof  report ask\n"
              "\n \t\r\n"
              "kiwi " HASH_A " kiwi.example kiwi.example\r\n"
              "fleet\t" HASH_B " " HASH_C " fleet-* fleet-*,depot reports=50 connections=7\n"
              "  desk cert - * admin\n"
              "both cert sha256:0000000000000000000000000000000000000000000000000000000000000000 a a\n"
              "anonymous - - public-* burst=2 reports=1");
    assert_int_equal(herd_identities_count(set), 5);
    struct herd_identity *kiwi = named(set, "kiwi"), *fleet = named(set, "fleet"), *desk = named(set, "desk");
    assert_true(reports(kiwi, "kiwi.example") && asks(kiwi, "kiwi.example"));
    assert_false(reports(kiwi, "kiwi.exampl") || reports(kiwi, "kiwi.example2") || asks(kiwi, "Kiwi.example"));
    assert_true(reports(fleet, "fleet-") && reports(fleet, "fleet-9") && asks(fleet, "depot"));
    assert_false(reports(fleet, "fleet") || reports(fleet, "depot") || asks(fleet, "depot2") ||
                 asks(fleet, "flee"));
    assert_true(asks(desk, "anything") && !reports(desk, "anything") && herd_identity_is_admin(desk));
    assert_true(herd_identity_by_certificate(desk) && herd_identity_by_certificate(named(set, "both")));
    assert_false(herd_identity_by_certificate(fleet) || herd_identity_is_admin(fleet));
    assert_int_equal(herd_identity_connections_max(fleet), 7);
    assert_int_equal(herd_identity_connections_max(kiwi), 0);
    assert_int_equal(fleet->reports.interval_ns, 20000000);
    assert_int_equal(fleet->reports.ahead_ns, 49 * INT64_C(20000000));
    assert_int_equal(named(set, HERD_IDENTITY_ANONYMOUS)->reports.ahead_ns, 1000000000);
    assert_int_equal(kiwi->reports.interval_ns, 0);
    assert_ptr_equal(herd_identities_find_token(set, hash_b), fleet);
    unsigned char other[32];
    for (size_t i = 0; i < sizeof other; i++) {
        memcpy(other, hash_b, sizeof other);
        other[i] ^= 0x80;
        assert_null(herd_identities_find_token(set, other));
    }
    assert_null(herd_identities_find(set, herd_span_of("nobody")));
    assert_null(herd_identities_find(set, herd_span_of("")));
    herd_identities_free(set);
    set = parse("");
    assert_null(herd_identities_find_token(set, hash_b));
    assert_int_equal(herd_identities_count(set), 0);
    herd_identities_free(set);
    herd_identities_free(NULL);
}

static void test_patterns(void **state)
{
    (void)state;
    struct herd_identities *set =
        parse("a cert %2A,x%2Cy,%00%ff*,%25,#,+ *\nb cert %63ert sha256%3A\nanonymous - - -");
    struct herd_identity *a = named(set, "a"), *b = named(set, "b");
    assert_true(reports(a, "*") && reports(a, "x,y") && reports(a, "%") && reports(a, "#") && reports(a, "+"));
    assert_false(reports(a, "**") || reports(a, "x") || reports(a, "y") || reports(a, "##") || reports(a, ""));
    assert_true(herd_identity_may_report(a, (struct herd_span){"\0\xff", 2}));
    assert_true(herd_identity_may_report(a, (struct herd_span){"\0\xff more", 7}));
    assert_false(herd_identity_may_report(a, (struct herd_span){"\0", 1}));
    assert_true(asks(a, "") && asks(a, "anything"));
    assert_true(reports(b, "cert") && asks(b, "sha256:"));
    struct herd_identity *anonymous = named(set, "anonymous");
    assert_false(reports(anonymous, "") || asks(anonymous, ""));
    herd_identities_free(set);
}

static void test_delete(void **state)
{
    (void)state;
    struct herd_identities *set =
        parse("a cert * * delete=temp-*,%2C admin\nb cert * * delete=-\nc cert * *\nd cert - - delete=*\n");
    struct herd_identity *a = named(set, "a"), *d = named(set, "d");
    assert_true(deletes(a, "temp-9") && deletes(a, ",") && herd_identity_is_admin(a));
    assert_false(deletes(a, "temp") || deletes(a, "kiwi") || deletes(named(set, "b"), "-") ||
                 deletes(named(set, "c"), "kiwi"));
    assert_true(deletes(d, "kiwi") && !reports(d, "kiwi") && !asks(d, "kiwi"));
    herd_identities_free(set);
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int err;
        unsigned line, column;
    } rows[] = {
        {"kiwi", HERD_E_SYNTAX, 1, 5},
        {"\n# x\nkiwi id id", HERD_E_SYNTAX, 3, 6},
        {"kiwi cert", HERD_E_SYNTAX, 1, 10},
        {"kiwi cert a", HERD_E_SYNTAX, 1, 12},
        {"kiwi cert a b more", HERD_E_SYNTAX, 1, 15},
        {"kiwi cert cert cert", HERD_E_EXISTS, 1, 11},
        {"kiwi - a a", HERD_E_SYNTAX, 1, 6},
        {"anonymous cert a a", HERD_E_SYNTAX, 1, 11},
        {"anonymous " HASH_A " a a", HERD_E_SYNTAX, 1, 11},
        {"ki/wi cert a a", HERD_E_SYNTAX, 1, 1},
        {"a2345678901234567890123456789012345678901234567890123456789012345 cert a a", HERD_E_SYNTAX, 1, 1},
        {"a sha256: a a", HERD_E_SYNTAX, 1, 3},
        {"a sha256:0011 a a", HERD_E_SYNTAX, 1, 3},
        {"a " HASH_A "0 a a", HERD_E_SYNTAX, 1, 3},
        {"a sha256:g0112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF a a", HERD_E_SYNTAX, 1, 10},
        {"a cert a*b a", HERD_E_SYNTAX, 1, 9},
        {"a cert a, a", HERD_E_SYNTAX, 1, 10},
        {"a cert ,a a", HERD_E_SYNTAX, 1, 8},
        {"a cert a,,b a", HERD_E_SYNTAX, 1, 10},
        {"a cert %4 a", HERD_E_SYNTAX, 1, 8},
        {"a cert a %zz", HERD_E_SYNTAX, 1, 10},
        {"a cert a a%", HERD_E_SYNTAX, 1, 11},
        {"a cert a a connections=", HERD_E_RANGE, 1, 24},
        {"a cert a a connections=0", HERD_E_RANGE, 1, 24},
        {"a cert a a reports=1000000001", HERD_E_RANGE, 1, 20},
        {"a cert a a reports=99999999999999999999999", HERD_E_RANGE, 1, 20},
        {"a cert a a reports=1x", HERD_E_SYNTAX, 1, 21},
        {"a cert a a reports=-1", HERD_E_SYNTAX, 1, 20},
        {"a cert a a reports=1 reports=1", HERD_E_EXISTS, 1, 22},
        {"a cert a a burst=1", HERD_E_SYNTAX, 1, 12},
        {"a cert a a delete=", HERD_E_SYNTAX, 1, 19},
        {"a cert a a delete=x,", HERD_E_SYNTAX, 1, 21},
        {"a cert a a delete=x*y", HERD_E_SYNTAX, 1, 20},
        {"a cert a a delete=x delete=y", HERD_E_EXISTS, 1, 21},
        {"a cert a a delete", HERD_E_SYNTAX, 1, 12},
        {"a cert a a\nb cert a a\na cert b b", HERD_E_EXISTS, 3, 1},
        {"a " HASH_A " a a\n\nb " HASH_A " a a", HERD_E_EXISTS, 3, 1},
        {"a " HASH_A " " HASH_A " a a", HERD_E_EXISTS, 1, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_identities *set = NULL;
        struct herd_identities_error error = {0};
        int err = herd_identities_parse(&set, guarded(herd_span_of(rows[i].text)), key, &error);
        if (err != rows[i].err || error.line != rows[i].line || error.column != rows[i].column)
            fail_msg("%s: %d at %u:%u %s", rows[i].text, err, error.line, error.column, error.message);
        assert_non_null(error.message);
        assert_null(set);
    }
}

/* 100 000 identities are found again, each by its name and its token. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    struct herd_buf text = {0};
    char line[160];
    for (unsigned i = 0; i < MANY; i++) {
        int len = snprintf(line, sizeof line, "n%u sha256:%064x n%u n%u\n", i, i, i, i);
        assert_int_equal(herd_buf_add(&text, line, (size_t)len), 0);
    }
    struct herd_identities *set = NULL;
    struct herd_identities_error error = {0};
    assert_int_equal(herd_identities_parse(&set, (struct herd_span){text.at, text.len}, key, &error), 0);
    herd_buf_fini(&text);
    for (unsigned i = 0; i < MANY; i += 97) {
        unsigned char hash[32] = {[28] = (unsigned char)(i >> 24),
                                  [29] = (unsigned char)(i >> 16),
                                  [30] = (unsigned char)(i >> 8),
                                  [31] = (unsigned char)i};
        snprintf(line, sizeof line, "n%u", i);
        assert_ptr_equal(herd_identities_find_token(set, hash), named(set, line));
        assert_true(reports(named(set, line), line));
    }
    herd_identities_free(set);
}

static void test_too_long(void **state)
{
    (void)state;
    struct herd_buf text = {0};
    struct herd_identities *set = NULL;
    struct herd_identities_error error = {0};
    enum { MOST = 16 << 20 };
    assert_int_equal(herd_buf_reserve(&text, MOST + 1), 0);
    memset(text.at, '\n', MOST + 1);
    assert_int_equal(herd_identities_parse(&set, (struct herd_span){text.at, MOST + 1}, key, &error), HERD_E_RANGE);
    assert_null(set);
    assert_int_equal(error.line, 1);
    assert_string_equal(error.message, "more than 16 MiB");
    assert_int_equal(herd_identities_parse(&set, (struct herd_span){text.at, MOST}, key, &error), 0);
    herd_identities_free(set);
    herd_buf_fini(&text);
}

/* A file that is read anew: who reported too fast is still over the limit, who is new is not. */
static void test_carried_over(void **state)
{
    (void)state;
    struct herd_identities *old = NULL, *new = NULL;
    struct herd_identities_error error = {0};
    assert_int_equal(herd_identities_parse(&old, herd_span_of("a cert a a reports=1\n"), key, &error), 0);
    assert_int_equal(
        herd_identities_parse(&new, herd_span_of("b cert b b reports=1\na cert a a reports=1\n"), key, &error), 0);
    assert_true(herd_rate_take(&named(old, "a")->reports, 1000));
    while (herd_rate_take(&named(old, "a")->reports, 1000))
        ;
    herd_identities_carry_over(new, old, 1000);
    assert_false(herd_rate_take(&named(new, "a")->reports, 1000));
    assert_true(herd_rate_take(&named(new, "b")->reports, 1000));
    herd_identities_free(old);
    herd_identities_free(new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),     cmocka_unit_test(test_groups),       cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_delete),   cmocka_unit_test(test_errors),       cmocka_unit_test(test_many),
        cmocka_unit_test(test_too_long), cmocka_unit_test(test_carried_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
