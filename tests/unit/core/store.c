/* SPDX-License-Identifier: MIT */
/*
 * The store against an array of AT lines: random puts and removals, the total order, digests. The model
 * compares records the slow way, with its own decimal comparison.
 */
#include "cm.h"

#include "guard.h"
#include "store_impl.h"

#include <herd/store.h>
#include <herd/timestamp.h>

#include <stdio.h>

#define S(text) herd_span_of(text)

static struct herd_record make(const char *server, const char *diff, const char *id, const char *position,
                               const char *time)
{
    struct herd_record record = {S(server), S(diff), S(id), S(position), S(time), 0};
    assert_int_equal(herd_timestamp_parse(record.time, &record.time_ns), 0);
    return record;
}

static struct herd_store *new_store(uint64_t key)
{
    struct herd_store_options options = {.table_key = {key, key * 3 + 1}, .digest_key = 99};
    struct herd_store *store;
    assert_int_equal(herd_store_new(&store, &options), 0);
    return store;
}

static enum herd_put put(struct herd_store *store, const struct herd_record *record)
{
    enum herd_put verdict;
    uint32_t slot;
    assert_int_equal(herd_store_put(store, record, &verdict, &slot), 0);
    struct herd_record at;
    assert_true(herd_store_get_slot(store, slot, &at));
    assert_true(herd_span_equal(at.id, record->id));
    return verdict;
}

static void expect_record(struct herd_store *store, const struct herd_record *expected)
{
    struct herd_record got;
    assert_true(herd_store_get(store, expected->id, &got));
    assert_true(herd_span_equal(got.server, expected->server));
    assert_true(herd_span_equal(got.diff, expected->diff));
    assert_true(herd_span_equal(got.id, expected->id));
    assert_true(herd_span_equal(got.position, expected->position));
    assert_true(herd_span_equal(got.time, expected->time));
    assert_true(got.time_ns == expected->time_ns);
}

/* Hashes every record from nothing, and every digest prefix too. */
static void check_digest(struct herd_store *store)
{
    uint64_t total = 0, bytes = (uint64_t)herd_store_slots(store) * 68;
    size_t count = 0;
    for (uint32_t slot = 0; slot < herd_store_slots(store); slot++) {
        const struct herd_packed_record *cell = herd_store_packed(store, slot);
        if (herd_packed_record_empty(cell))
            continue;
        struct herd_record_layout layout = herd_packed_record_layout(cell);
        struct herd_span name = herd_names_text(&store->names, cell->server);
        total += herd_body_hash(herd_packed_record_body(cell), &layout, cell->time_ns,
                                herd_hash(store->digest_key, name.at, name.len));
        bytes += herd_packed_record_external_bytes(cell);
        count++;
    }
    assert_true(herd_store_bytes(store) == bytes);
    assert_true(herd_store_digest(store) == total);
    assert_int_equal(herd_store_count(store), count);
    uint64_t sum = 0;
    for (uint32_t prefix = 0; prefix < 256; prefix++)
        sum += herd_digest_sum(&store->digest, prefix, 8);
    assert_true(sum == total);
}

/* ---- the order ---- */

/* In ascending order, all of one id: time (exact), server, diff, place, time as bytes. */
static const char *const ladder[][4] = {
    {"Z", "+9", "+9+9", "0.999999999999"},
    {"A", "+0", "+0+0", "1"},
    {"A", "+0", "+0+0", "1.0"}, /* the same time; more bytes */
    {"A", "+0", "+0+1", "01"},
    {"A", "+0", "+0+1", "1"},
    {"A", "+1", "+0+0", "1"},
    {"A", "-1", "+0+0", "1"}, /* '-' is behind '+' */
    {"AB", "+0", "+0+0", "1"},
    {"B", "+0", "+0+0", "1.00000000000000"},
    {"a", "+0", "+0+0", "1"},
    {"A", "+0", "+0+0", "1.0000000001"}, /* the same nanosecond */
    {"B", "+0", "+0+0", "1.0000000001"},
    {"A", "+0", "+0+0", "1.00000000010000000000000000000000000000000000000000000000000000000000000000000000001"},
    {"A", "+0", "+0+0", "1.0000000002"},
    {"A", "+0", "+0+0", "1.000000001"},
    {"A", "+0", "+0+0", "2"},
    {"A", "+0", "+0+0", "10"},
    {"A", "+0", "+0+0", "9223372036.854775807"},
};
#define RUNGS (sizeof ladder / sizeof *ladder)

static struct herd_record rung(size_t i)
{
    return make(ladder[i][0], ladder[i][1], "kiwi", ladder[i][2], ladder[i][3]);
}

static void test_total_order(void **state)
{
    (void)state;
    for (size_t a = 0; a < RUNGS; a++) {
        for (size_t b = 0; b < RUNGS; b++) {
            struct herd_store *store = new_store(1);
            struct herd_record first = rung(a), second = rung(b);
            assert_int_equal(put(store, &first), HERD_PUT_NEW);
            enum herd_put expected = b > a ? HERD_PUT_NEWER : b < a ? HERD_PUT_OLDER : HERD_PUT_SAME;
            if (put(store, &second) != expected)
                fail_msg("%zu then %zu", a, b);
            expect_record(store, b > a ? &second : &first);
            check_digest(store);
            herd_store_free(store);
        }
    }
}

/* All orders of seven conflicting records end with the same bytes and the same digest. */
static void test_all_permutations(void **state)
{
    (void)state;
    static const size_t chosen[7] = {1, 2, 4, 6, 8, 10, 12};
    size_t order[7] = {0, 1, 2, 3, 4, 5, 6}, counter[7] = {0};
    uint64_t digest = 0;
    size_t runs = 0, i = 0;
    while (true) {
        struct herd_store *store = new_store(runs);
        for (size_t k = 0; k < 7; k++) {
            struct herd_record record = rung(chosen[order[k]]);
            put(store, &record);
        }
        struct herd_record greatest = rung(12);
        expect_record(store, &greatest);
        if (runs == 0)
            digest = herd_store_digest(store);
        assert_true(herd_store_digest(store) == digest);
        herd_store_free(store);
        runs++;
        while (i < 7 && counter[i] >= i) /* Heap's algorithm */
            counter[i++] = 0;
        if (i == 7)
            break;
        size_t from = i % 2 ? counter[i] : 0, kept = order[from];
        order[from] = order[i];
        order[i] = kept;
        counter[i]++;
        i = 0;
    }
    assert_int_equal(runs, 5040);
}

/* ---- random operations ---- */

#define IDS 400

struct model {
    bool known[IDS];
    char text[IDS][5][96]; /* server diff id place time */
    uint32_t slot[IDS];
};

static int exact_compare(const char *a, const char *b)
{
    char wide[2][128];
    const char *texts[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        memset(wide[i], '0', sizeof wide[i]);
        const char *point = strchr(texts[i], '.');
        size_t whole = point ? (size_t)(point - texts[i]) : strlen(texts[i]);
        memcpy(wide[i] + 40 - whole, texts[i], whole);
        if (point)
            memcpy(wide[i] + 40, point + 1, strlen(point + 1));
    }
    return memcmp(wide[0], wide[1], sizeof wide[0]);
}

static int model_order(char a[5][96], char b[5][96])
{
    int order = exact_compare(a[4], b[4]);
    if (!order)
        order = strcmp(a[0], b[0]);
    if (!order)
        order = strcmp(a[1], b[1]);
    if (!order)
        order = strcmp(a[3], b[3]);
    return order ? order : strcmp(a[4], b[4]);
}

static void random_texts(uint64_t *seed, size_t id, char t[5][96])
{
    static const char *const servers[] = {"Riley", "Jaquez", "Juzang", "Campbell", "Bernard"};
    static const char *const fracs[] = {"",
                                        ".0",
                                        ".00",
                                        ".5",
                                        ".50",
                                        ".5000000001",
                                        ".5000000002",
                                        ".500000000",
                                        ".50000000000000000000000000000000000000000000000000000000000000000000001"};
    snprintf(t[0], 96, "%s", servers[rnd_below(seed, 5)]);
    snprintf(t[1], 96, "%c%u.%09u", rnd(seed) & 1 ? '+' : '-', (unsigned)rnd_below(seed, 2),
             (unsigned)rnd_below(seed, 3));
    snprintf(t[2], 96, "client-%zu%.*s", id, (int)(id % 61),
             "----------------------------------------------------"
             "---------------");
    snprintf(t[3], 96, "+%u-%u", (unsigned)rnd_below(seed, 3), (unsigned)rnd_below(seed, 3));
    snprintf(t[4], 96, "%s%u%s", rnd_below(seed, 5) ? "" : "0", (unsigned)rnd_below(seed, 6),
             fracs[rnd_below(seed, 9)]);
}

static void check_model(struct herd_store *store, struct model *model)
{
    size_t known = 0;
    for (size_t id = 0; id < IDS; id++) {
        if (!model->known[id])
            continue;
        char(*t)[96] = model->text[id];
        struct herd_record expected = make(t[0], t[1], t[2], t[3], t[4]);
        expect_record(store, &expected);
        struct herd_buf line = {0};
        char text[600];
        snprintf(text, sizeof text, "AT %s %s %s %s %s\n", t[0], t[1], t[2], t[3], t[4]);
        assert_int_equal(herd_store_format(store, model->slot[id], &line), 0);
        assert_int_equal(line.len, strlen(text));
        assert_memory_equal(line.at, text, line.len);
        herd_buf_fini(&line);
        known++;
    }
    assert_int_equal(herd_store_count(store), known);
    check_digest(store);
}

static void test_random(void **state)
{
    (void)state;
    struct model *model = calloc(1, sizeof *model);
    struct herd_store *store = new_store(17);
    uint64_t seed = 23;
    size_t most = 0;
    for (int i = 0; i < 60000; i++) {
        size_t id = rnd_below(&seed, IDS);
        if (rnd_below(&seed, 4) == 0 && model->known[id]) {
            herd_store_remove(store, model->slot[id]);
            herd_store_remove(store, model->slot[id]); /* empty: left alone */
            model->known[id] = false;
            struct herd_record gone;
            assert_false(herd_store_get(store, S(model->text[id][2]), &gone));
            assert_false(herd_store_get_slot(store, model->slot[id], &gone));
            struct herd_buf line = {0};
            assert_int_equal(herd_store_format(store, model->slot[id], &line), HERD_E_NOTFOUND);
            assert_int_equal(line.len, 0);
            continue;
        }
        char t[5][96];
        random_texts(&seed, id, t);
        struct herd_record record = make(t[0], t[1], t[2], t[3], t[4]);
        enum herd_put expected = HERD_PUT_NEW, verdict;
        if (model->known[id]) {
            int order = model_order(t, model->text[id]);
            expected = order > 0 ? HERD_PUT_NEWER : order < 0 ? HERD_PUT_OLDER : HERD_PUT_SAME;
        }
        uint32_t slot;
        assert_int_equal(herd_store_put(store, &record, &verdict, &slot), 0);
        assert_int_equal(verdict, expected);
        if (model->known[id])
            assert_int_equal(slot, model->slot[id]);
        if (verdict == HERD_PUT_NEW || verdict == HERD_PUT_NEWER)
            memcpy(model->text[id], t, sizeof t);
        model->known[id] = true;
        model->slot[id] = slot;
        if (herd_store_count(store) > most)
            most = herd_store_count(store);
        assert_true(herd_store_slots(store) <= most); /* removed slots are used again */
        if (i % 5000 == 0)
            check_model(store, model);
    }
    check_model(store, model);
    herd_store_free(store);
    free(model);
}

/* Enough records that the digest gets more leaves, twice; any order, any table key: the same digest. */
static void test_digest_is_of_the_contents(void **state)
{
    (void)state;
    struct herd_store *a = new_store(1), *b = new_store(2);
    for (unsigned i = 0; i < 40000; i++) {
        char id[2][24], time[2][24];
        unsigned n[2] = {i, 39999 - i};
        for (int k = 0; k < 2; k++) {
            snprintf(id[k], sizeof id[k], "client%u", n[k]);
            snprintf(time[k], sizeof time[k], "%u.5", 1000 + n[k] % 7);
            struct herd_record record = make("Riley", "+0.1", id[k], "+1-1", time[k]);
            put(k ? b : a, &record);
        }
    }
    assert_int_equal(a->digest.bits, HERD_DIGEST_BITS_MAX);
    assert_true(herd_store_digest(a) == herd_store_digest(b));
    for (uint32_t prefix = 0; prefix < 1u << HERD_DIGEST_BITS_MAX; prefix++)
        assert_true(a->digest.leaves[prefix] == b->digest.leaves[prefix]);
    check_digest(a);
    check_digest(b);
    struct herd_record one = make("Riley", "+0.1", "client77", "+1-1", "2000.5");
    put(a, &one);
    assert_true(herd_store_digest(a) != herd_store_digest(b));
    put(b, &one);
    assert_true(herd_store_digest(a) == herd_store_digest(b));
    for (uint32_t slot = 0; slot < herd_store_slots(a); slot++)
        herd_store_remove(a, slot);
    assert_true(herd_store_digest(a) == 0);
    assert_int_equal(herd_store_count(a), 0);
    assert_true(herd_store_get(b, S("client1"), &one));
    herd_store_free(a);
    herd_store_free(b);
}

/* A zero at the end of a time changes the bytes, not the time: the digest must see it. */
static void test_digest_sees_every_byte(void **state)
{
    (void)state;
    static const char *const times[] = {"1.5", "1.50", "1.500", "1.5000", "01.5", "1.500000000000000"};
    uint64_t seen[6];
    for (size_t i = 0; i < 6; i++) {
        struct herd_store *store = new_store(3);
        struct herd_record record = make("Riley", "+0.1", "kiwi", "+1-1", times[i]);
        put(store, &record);
        seen[i] = herd_store_digest(store);
        for (size_t k = 0; k < i; k++)
            assert_true(seen[i] != seen[k]);
        herd_store_free(store);
    }
}

static void test_sizes_and_bytes(void **state)
{
    (void)state;
    static const size_t lens[] = {1, 49, 50, 51, 254, 255, 256, 65535, 65536};
    struct herd_store *store = new_store(8);
    char *bytes = malloc(65536);
    for (size_t i = 0; i < 65536; i++)
        bytes[i] = (char)(i % 7 ? 0x80 + i % 128 : 0); /* NUL and high bytes */
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 9; i++) {
            struct herd_record record = make("Riley", "+0.000000001", "", "+34.068930-118.445127", "1.5");
            char time[16];
            snprintf(time, sizeof time, "%d.5", round);
            record.time = S(time);
            record.time_ns = round * INT64_C(1000000000) + 500000000;
            record.id = guarded((struct herd_span){bytes, lens[i]});
            assert_int_equal(put(store, &record), round ? HERD_PUT_NEWER : HERD_PUT_NEW);
            expect_record(store, &record);
            assert_int_equal(put(store, &record), HERD_PUT_SAME);
        }
        check_digest(store);
    }
    assert_int_equal(herd_store_count(store), 9);
    free(bytes);
    herd_store_free(store);
}

static void test_edges(void **state)
{
    (void)state;
    struct herd_store *store;
    struct herd_record record;
    struct herd_buf out = {0};
    assert_int_equal(herd_store_new(&store, NULL), 0);
    assert_false(herd_store_get(store, S("kiwi"), &record));
    assert_false(herd_store_get_slot(store, 0, &record));
    assert_false(herd_store_get_slot(store, UINT32_MAX, &record));
    assert_int_equal(herd_store_format(store, 0, &out), HERD_E_NOTFOUND);
    herd_store_remove(store, 0);
    herd_store_remove(store, UINT32_MAX);
    assert_int_equal(herd_store_count(store), 0);
    assert_int_equal(herd_store_slots(store), 0);
    assert_true(herd_store_digest(store) == 0);
    herd_store_free(store);
    herd_store_free(NULL);
}

/* What the store could not give back as it came is refused; a time need not be read twice by who has its text. */
static void test_put_checks(void **state)
{
    (void)state;
    struct herd_store *store = new_store(1);
    const struct herd_record good = make("a", "+0.5", "k", "+1.5-2", "1621464827.959498503");
    struct herd_record record = good, got;
    enum herd_put verdict;
    uint32_t slot = 77;
    record.time_ns = 0;
    assert_int_equal(herd_store_put(store, &record, NULL, NULL), 0);
    expect_record(store, &good);
    assert_int_equal(herd_store_put(store, &good, &verdict, NULL), 0);
    assert_int_equal(verdict, HERD_PUT_SAME);
    assert_int_equal(herd_store_put(store, &record, NULL, &slot), 0);
    assert_int_equal(slot, 0);
    record = make("a", "+0.5", "old", "+1.5-2", "0"); /* a time that is 0 */
    assert_int_equal(herd_store_put(store, &record, NULL, NULL), 0);
    expect_record(store, &record);

    uint64_t digest = herd_store_digest(store);
    const struct herd_record bad[] = {
        {S("a"), S("+0.5"), S("k"), S("+1.5-2"), S("1621464828.5"), good.time_ns},
        {S("a"), S("+0.5"), S("k"), S("+1.5-2"), S("1621464828.5"), INT64_MIN},
        {S("a"), S("+0.5"), S("k"), S("+1.5-2"), S("now"), 0},
        {S("a"), S("+0.5"), S("k"), S("+1.5-2"), S(""), 0},
        {S("a"), S("+0.5"), S("k"), S("+1.5-2"), S("-5"), 0},
        {S("a"), S("+0.5"), S("k"), S("here"), S("1621464828"), 0},
        {S("a"), S("+0.5"), S("k"), S("+91-2"), S("1621464828"), 0},
        {S("a"), S("0.5"), S("k"), S("+1.5-2"), S("1621464828"), 0},
        {S("a"), S("+5e-1"), S("k"), S("+1.5-2"), S("1621464828"), 0},
        {S("a"), S(""), S("k"), S("+1.5-2"), S("1621464828"), 0},
        {S("a"), S("+0.5"), S(""), S("+1.5-2"), S("1621464828"), 0},
        {S("a"), S("+0.5"), S("two words"), S("+1.5-2"), S("1621464828"), 0},
        {S("a"), S("+0.5"), S("line\n"), S("+1.5-2"), S("1621464828"), 0},
        {S(""), S("+0.5"), S("k"), S("+1.5-2"), S("1621464828"), 0},
        {S("a b"), S("+0.5"), S("k"), S("+1.5-2"), S("1621464828"), 0},
        {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (herd_store_put(store, &bad[i], &verdict, &slot) != HERD_E_ARG)
            fail_msg("row %zu was put", i);
    assert_int_equal(herd_store_put(store, NULL, &verdict, &slot), HERD_E_ARG);
    assert_int_equal(herd_store_put(NULL, &good, &verdict, &slot), HERD_E_ARG);
    assert_true(herd_store_digest(store) == digest);
    assert_int_equal(herd_store_count(store), 2);
    assert_true(herd_store_get(store, S("k"), &got));
    herd_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_checks),
        cmocka_unit_test(test_total_order),
        cmocka_unit_test(test_all_permutations),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_digest_is_of_the_contents),
        cmocka_unit_test(test_digest_sees_every_byte),
        cmocka_unit_test(test_sizes_and_bytes),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
