/* SPDX-License-Identifier: MIT */
/* What a database beside the herd knows: taken in, or for one reply; and what a watcher may ask for again. */
#include "client.h"

#include <herd/store.h>

#include "node_impl.h"

static const struct herd_node_options fetching = {.fetch_unknown = true, .tombstones_max = 10};

static struct herd_record record_of(const char *id, const char *position, const char *time)
{
    return (struct herd_record){.server = herd_span_of("Bailey"),
                                .diff = herd_span_of("+0.5"),
                                .id = herd_span_of(id),
                                .position = herd_span_of(position),
                                .time = herd_span_of(time)};
}

static void fetched(struct fixture *f, size_t ticket, const struct herd_record *record, bool answered)
{
    struct herd_session *session;
    assert_int_equal(herd_node_fetched(f->node, f->tickets[ticket], record, f->now, &f->out, &session), 0);
    assert_true((session != NULL) == answered);
    effects(f);
}

static void test_fetched(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, &fetching);
    say(&f, "WHATSAT  kiwi 10 5\nlast\n");
    heard(&f, "");
    assert_string_equal(f.looked_up, "fetch kiwi");
    struct herd_record record = record_of("kiwi", "+1+2", "1621464827.5");
    fetched(&f, 0, &record, false);
    assert_string_equal(f.looked_up, "kiwi +1+2 10");
    assert_int_equal(f.lookup.bound, 5);
    assert_int_equal(f.tickets[1], f.tickets[0]);
    answer(&f, 1, "{}");
    heard(&f, "AT Bailey +0.5 kiwi +1+2 1621464827.5\n{}\n\n? last\n");
    /* It was for this reply alone. */
    assert_int_equal(herd_store_count(herd_node_store(f.node)), 0);
    say(&f, "WHATSAT kiwi 10 5\n");
    assert_string_equal(f.looked_up, "fetch kiwi");
    end(&f);
}

static void test_not_fetched(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, &fetching);
    say(&f, "WHATSAT  kiwi 10 5\nlast\n");
    fetched(&f, 0, NULL, true);
    heard(&f, "? WHATSAT  kiwi 10 5\n? last\n");
    fetched(&f, 0, NULL, false); /* an old number */
    heard(&f, "");
    end(&f);
}

static void test_no_answer_in_it(void **state)
{
    (void)state;
    struct fixture f;
    struct herd_node_options options = fetching;
    options.expire_ns = 100 * SECOND;
    begin(&f, &options);
    const struct herd_record bad[] = {
        record_of("kiwi", "", "1621464827"),     record_of("kiwi", "+1", "1621464827"),
        record_of("yak", "+1+2", "1621464827"),  record_of("kiwi", "+1+2", "1621464000"),
        record_of("kiwi", "+1+2", "1621469999"), record_of("kiwi", "+1+2", "noon"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        say(&f, "WHATSAT kiwi 10 5\n");
        fetched(&f, i, &bad[i], true);
        heard(&f, "? WHATSAT kiwi 10 5\n");
    }
    end(&f);
}

/* What came meanwhile is newer than what was fetched, or would not be known to be older. */
static void test_came_meanwhile(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, &fetching);
    say(&f, "WHATSAT kiwi 10 5\n" KIWI);
    struct herd_record record = record_of("kiwi", "+1+2", "1621464827.5");
    fetched(&f, 0, &record, false);
    answer(&f, 1, "{}");
    heard(&f, AT_KIWI "{}\n\n" AT_KIWI);
    end(&f);
}

/* What was deleted meanwhile does not come back from a database that has not heard of it. */
static void test_deleted_meanwhile(void **state)
{
    (void)state;
    struct fixture f;
    enum herd_verdict verdict;
    begin(&f, &fetching);
    say(&f, "WHATSAT kiwi 10 5\n" KIWI);
    assert_int_equal(herd_node_delete(f.node, herd_span_of("kiwi"), f.now, NULL, &verdict), 0);
    struct herd_record record = record_of("kiwi", "+1+2", "1621464827.5");
    fetched(&f, 0, &record, true);
    heard(&f, "? WHATSAT kiwi 10 5\n" AT_KIWI);
    end(&f);
}

static void test_known_is_not_fetched(void **state)
{
    (void)state;
    struct fixture f;
    enum herd_verdict verdict;
    begin(&f, &fetching);
    say(&f, KIWI);
    f.out.len = 0;
    assert_int_equal(herd_node_delete(f.node, herd_span_of("kiwi"), f.now, NULL, &verdict), 0);
    say(&f, "WHATSAT kiwi 10 5\n");
    assert_int_equal(f.ticket_count, 0);
    heard(&f, "? WHATSAT kiwi 10 5\n");
    end(&f);
}

static void test_client_leaves(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, &fetching);
    say(&f, "WHATSAT kiwi 10 5\n");
    herd_session_close(f.session);
    effects(&f);
    assert_int_equal(f.cancels, 1);
    fetched(&f, 0, NULL, false);
    end(&f);
}

/* The reply to a FETCH does not free commands that wait for another. */
static void test_command_waits_still(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, &fetching);
    say(&f, "WHATSAT kiwi 10 5\n");
    f.session->awaiting_command = true;
    fetched(&f, 0, NULL, true);
    assert_true(f.session->awaiting_command);
    f.session->awaiting_command = false;
    end(&f);
}

/* ---- taken in ---- */

static void test_learn(void **state)
{
    (void)state;
    struct fixture f;
    enum herd_verdict verdict;
    struct herd_watch *watch;
    struct herd_subscriber keeper = {0};
    struct herd_record record = record_of("kiwi", "+1+2", "1621464827.5"), seen;
    begin(&f, NULL);
    assert_int_equal(herd_watch_open(f.node, &watch), 0);
    assert_int_equal(herd_changes_subscribe(&f.node->changes, &keeper), 0);
    f.node->database = &keeper;
    assert_int_equal(herd_node_learn(f.node, &record, f.now, &verdict), 0);
    assert_int_equal(verdict, HERD_VERDICT_NEW);
    assert_int_equal(herd_node_learn(f.node, &record, f.now, &verdict), 0);
    assert_int_equal(verdict, HERD_VERDICT_SAME);
    assert_int_equal(herd_watch_pending(watch), 1); /* told to all */
    assert_int_equal(keeper.pending, 0);            /* but to the database */
    assert_true(herd_watch_next(watch, &seen));
    assert_int_equal(herd_watch_pending(watch), 0);
    record = record_of("kiwi", "+1+2", "1621464827");
    assert_int_equal(herd_node_learn(f.node, &record, f.now, &verdict), 0);
    assert_int_equal(verdict, HERD_VERDICT_OLDER);
    record = record_of("kiwi", "1+2", "1621464829");
    assert_int_equal(herd_node_learn(f.node, &record, f.now, &verdict), HERD_E_ARG);
    record = record_of("k i", "+1+2", "1621464829");
    assert_int_equal(herd_node_learn(f.node, &record, f.now, &verdict), HERD_E_ARG);
    record = record_of("kiwi", "+1+2", "1621464829");
    record.time_ns = 5;
    assert_int_equal(herd_node_learn(f.node, &record, f.now, &verdict), HERD_E_ARG);
    herd_watch_close(watch);
    herd_changes_unsubscribe(&f.node->changes, &keeper);
    f.node->database = NULL;
    end(&f);
}

static void test_learn_limits(void **state)
{
    (void)state;
    struct fixture f;
    enum herd_verdict verdict;
    struct herd_record record = record_of("kiwi", "+1+2", "1621464827.5");
    begin(&f, &(struct herd_node_options){.records_max = 1, .expire_ns = 100 * SECOND});
    assert_int_equal(herd_node_learn(f.node, &record, f.now, &verdict), 0);
    record.id = herd_span_of("yak");
    assert_int_equal(herd_node_learn(f.node, &record, f.now, &verdict), 0);
    assert_int_equal(verdict, HERD_VERDICT_NEW); /* twice as many, as of neighbours */
    record.id = herd_span_of("ant");
    assert_int_equal(herd_node_learn(f.node, &record, f.now, &verdict), 0);
    assert_int_equal(verdict, HERD_VERDICT_FULL);
    record = record_of("kiwi", "+1+2", "1621460000");
    assert_int_equal(herd_node_learn(f.node, &record, f.now, &verdict), 0);
    assert_int_equal(verdict, HERD_VERDICT_EXPIRED);
    record = record_of("kiwi", "+1+2", "1621469999");
    assert_int_equal(herd_node_learn(f.node, &record, f.now, &verdict), 0);
    assert_int_equal(verdict, HERD_VERDICT_FUTURE);
    end(&f);
}

/* ---- once more ---- */

static void test_watch_again(void **state)
{
    (void)state;
    struct fixture f;
    struct herd_watch *watch;
    struct herd_record record;
    begin(&f, NULL);
    say(&f, KIWI "IAMAT yak +1+2 1621464827\n");
    assert_int_equal(herd_watch_open(f.node, &watch), 0);
    assert_int_equal(herd_watch_pending(watch), 0);
    assert_int_equal(herd_watch_again(watch, herd_span_of("ant")), HERD_E_NOTFOUND);
    assert_int_equal(herd_watch_again(watch, herd_span_of("yak")), 0);
    assert_int_equal(herd_watch_again(watch, herd_span_of("yak")), 0);
    assert_int_equal(herd_watch_pending(watch), 1);
    assert_true(herd_watch_next(watch, &record));
    assert_true(herd_span_equal(record.id, herd_span_of("yak")));
    assert_false(herd_watch_next(watch, &record));
    herd_watch_all(watch);
    assert_int_equal(herd_watch_pending(watch), 2);
    assert_true(herd_watch_next(watch, &record));
    assert_true(herd_watch_next(watch, &record));
    assert_false(herd_watch_next(watch, &record));
    herd_watch_close(watch);
    f.out.len = 0;
    end(&f);
}

/* ---- the order ---- */

/* Of any two records the public order says what a store does with them. */
static void test_order_is_the_stores(void **state)
{
    (void)state;
    static const char *const servers[] = {"Bailey", "Riley"}, *const diffs[] = {"+0.5", "-7", "+100000000"};
    static const char *const positions[] = {"", "+1+2", "+1+02"};
    static const char *const times[] = {"1621464827.5",          "1621464827.50", "01621464827.5",
                                        "1621464827.5000000001", "1621464828",    "1621400000"};
    struct herd_record all[2 * 3 * 3 * 6];
    size_t n = 0;
    for (size_t i = 0; i < 2 * 3 * 3 * 6; i++) {
        struct herd_record *r = &all[n++];
        *r = record_of("kiwi", positions[i / 6 % 3], times[i % 6]);
        r->diff = herd_span_of(diffs[i / 18 % 3]);
        r->server = herd_span_of(servers[i / 54]);
        assert_int_equal(herd_timestamp_parse(r->time, &r->time_ns), 0);
    }
    for (int expires = 0; expires < 2; expires++) {
        const int64_t expire_ns = expires ? 3600 * SECOND : 0;
        struct herd_store *store;
        assert_int_equal(herd_store_new(&store, NULL), 0);
        store->expire_ns = expire_ns;
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < n; k++) {
                enum herd_put put;
                uint32_t slot;
                assert_int_equal(herd_store_put(store, &all[i], NULL, &slot), 0);
                assert_int_equal(herd_store_put(store, &all[k], &put, NULL), 0);
                int order = herd_record_compare(&all[k], &all[i], expire_ns);
                assert_int_equal(put, order > 0 ? HERD_PUT_NEWER : order < 0 ? HERD_PUT_OLDER : HERD_PUT_SAME);
                assert_true((herd_record_compare(&all[i], &all[k], expire_ns) > 0) == (order < 0));
                herd_store_remove(store, slot);
            }
        }
        herd_store_free(store);
    }
    all[0].diff = herd_span_of("-0.25");
    assert_int_equal(herd_record_accepted_ns(&all[0]), INT64_C(1621464827250000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fetched),
        cmocka_unit_test(test_not_fetched),
        cmocka_unit_test(test_no_answer_in_it),
        cmocka_unit_test(test_came_meanwhile),
        cmocka_unit_test(test_deleted_meanwhile),
        cmocka_unit_test(test_known_is_not_fetched),
        cmocka_unit_test(test_client_leaves),
        cmocka_unit_test(test_command_waits_still),
        cmocka_unit_test(test_learn),
        cmocka_unit_test(test_learn_limits),
        cmocka_unit_test(test_watch_again),
        cmocka_unit_test(test_order_is_the_stores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
