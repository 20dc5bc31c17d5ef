/* SPDX-License-Identifier: MIT */
/*
 * Dirty sets. A naive reader keeps a set and, while no lap lost it, the exact queue; the real one must give
 * each slot once for each time it became dirty, in queue order, and lose nothing however it is driven.
 */
#include "cm.h"

#include "changes.h"
#include "guard.h"
#include "index.h"

static void open_changes(struct herd_changes *changes, uint32_t ring)
{
    assert_int_equal(herd_changes_init(changes, ring), 0);
}

static void test_keeps_place_in_the_queue(void **state)
{
    (void)state;
    struct herd_changes changes;
    struct herd_subscriber subscriber;
    open_changes(&changes, 16);
    assert_int_equal(herd_changes_subscribe(&changes, &subscriber), 0);
    static const uint32_t noted[] = {7, 2, 9, 2, 4, 7, 7};
    static const uint32_t expected[] = {7, 2, 9, 4};
    for (size_t i = 0; i < 7; i++)
        herd_changes_publish(&changes, noted[i], NULL);
    assert_int_equal(subscriber.pending, 4);
    for (size_t i = 0; i < 4; i++) {
        uint64_t place;
        assert_int_equal(herd_changes_newest(&changes, expected[i], &place), i == 3);
        assert_int_equal(place, 3);
        assert_int_equal(herd_subscriber_next(&changes, &subscriber), expected[i]);
        assert_int_equal(subscriber.place, i);
    }
    assert_int_equal(herd_subscriber_next(&changes, &subscriber), HERD_NO_SLOT);
    /* of a sweep: the slot */
    herd_subscriber_mark_dirty(&changes, &subscriber, 60);
    assert_int_equal(herd_subscriber_next(&changes, &subscriber), 60);
    assert_int_equal(subscriber.place, 60);
    /* taken, then changed again: at the end of the queue */
    herd_changes_publish(&changes, 1, NULL);
    herd_changes_publish(&changes, 2, NULL);
    assert_int_equal(herd_subscriber_next(&changes, &subscriber), 1);
    herd_changes_publish(&changes, 1, NULL);
    assert_int_equal(herd_subscriber_next(&changes, &subscriber), 2);
    assert_int_equal(herd_subscriber_next(&changes, &subscriber), 1);
    assert_int_equal(herd_subscriber_next(&changes, &subscriber), HERD_NO_SLOT);
    herd_changes_unsubscribe(&changes, &subscriber);
    herd_changes_fini(&changes);
}

static void test_except_and_joining_late(void **state)
{
    (void)state;
    struct herd_changes changes;
    struct herd_subscriber a, b, c;
    open_changes(&changes, 16);
    herd_changes_publish(&changes, 1, NULL); /* nobody reads: not even written */
    assert_int_equal(changes.next, 0);
    herd_changes_subscribe(&changes, &a);
    herd_changes_subscribe(&changes, &b);
    herd_changes_publish(&changes, 2, &a);
    herd_changes_subscribe(&changes, &c);
    herd_changes_publish(&changes, 3, &b);
    assert_int_equal(herd_subscriber_next(&changes, &a), 3);
    assert_int_equal(herd_subscriber_next(&changes, &a), HERD_NO_SLOT);
    assert_int_equal(herd_subscriber_next(&changes, &b), 2);
    assert_int_equal(herd_subscriber_next(&changes, &b), HERD_NO_SLOT);
    assert_int_equal(herd_subscriber_next(&changes, &c), 3);
    assert_int_equal(herd_subscriber_next(&changes, &c), HERD_NO_SLOT);
    herd_changes_unsubscribe(&changes, &b);
    herd_changes_publish(&changes, 4, NULL);
    assert_int_equal(herd_subscriber_next(&changes, &c), 4);
    assert_int_equal(herd_subscriber_next(&changes, &a), 4);
    herd_changes_unsubscribe(&changes, &a);
    herd_changes_unsubscribe(&changes, &a);
    herd_changes_unsubscribe(&changes, &c);
    struct herd_subscriber never = {0};
    herd_changes_unsubscribe(&changes, &never);
    herd_changes_fini(&changes);
}

/* While a sweep has work, three of four come from the ring: live updates are not held up by it, nor it by
 * them. */
static void test_shares(void **state)
{
    (void)state;
    struct herd_changes changes;
    struct herd_subscriber subscriber;
    open_changes(&changes, 1024);
    herd_changes_subscribe(&changes, &subscriber);
    for (uint32_t slot = 0; slot < 100; slot++)
        herd_subscriber_mark_dirty(&changes, &subscriber, 500 + slot);
    for (uint32_t slot = 0; slot < 300; slot++)
        herd_changes_publish(&changes, slot, NULL);
    size_t live = 0, swept = 0;
    for (int i = 0; i < 80; i++) {
        uint32_t slot = herd_subscriber_next(&changes, &subscriber);
        live += slot < 300;
        swept += slot >= 500 && slot < 600;
    }
    assert_int_equal(live + swept, 80);
    /* the sweep meets low slots first, wherever they come from; the ring gets its three of four */
    assert_true(live >= 60);
    bool seen[600] = {false};
    for (uint32_t slot; (slot = herd_subscriber_next(&changes, &subscriber)) != HERD_NO_SLOT; live++) {
        assert_false(seen[slot]);
        seen[slot] = true;
    }
    assert_int_equal(live + swept, 400);
    herd_changes_unsubscribe(&changes, &subscriber);
    herd_changes_fini(&changes);
}

/* A slot that a sweep will come to in its time, and that changes: its news do not wait for that. */
static void test_news_go_before_a_sweep(void **state)
{
    (void)state;
    struct herd_changes changes;
    struct herd_subscriber subscriber;
    open_changes(&changes, 1024);
    herd_changes_subscribe(&changes, &subscriber);
    herd_subscriber_mark_all_dirty(&changes, &subscriber, 1024);
    for (uint32_t round = 0; round < 8; round++) {
        uint32_t slot = 1000 - round, takes = 0;
        herd_changes_publish(&changes, slot, NULL);
        herd_changes_publish(&changes, slot, NULL); /* twice is once */
        while (herd_subscriber_next(&changes, &subscriber) != slot)
            takes++;
        assert_true(takes < 4);
    }
    bool seen[1024] = {false};
    for (uint32_t slot; (slot = herd_subscriber_next(&changes, &subscriber)) != HERD_NO_SLOT;) {
        assert_false(seen[slot] || (slot > 992 && slot <= 1000));
        seen[slot] = true;
    }
    assert_int_equal(subscriber.pending, 0);
    herd_changes_unsubscribe(&changes, &subscriber);
    herd_changes_fini(&changes);
}

static void test_mark_all(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 1, 63, 64, 65, 1000, 1024};
    for (size_t i = 0; i < 7; i++) {
        struct herd_changes changes;
        struct herd_subscriber subscriber;
        open_changes(&changes, 16);
        herd_changes_subscribe(&changes, &subscriber);
        for (uint32_t slot = 0; slot < sizes[i]; slot += 3)
            herd_changes_publish(&changes, slot, NULL);
        herd_subscriber_mark_all_dirty(&changes, &subscriber, sizes[i]);
        assert_int_equal(subscriber.pending, sizes[i]);
        bool seen[1024] = {false};
        for (uint32_t n = 0; n < sizes[i]; n++) {
            uint32_t slot = herd_subscriber_next(&changes, &subscriber);
            assert_true(slot < sizes[i] && !seen[slot]);
            seen[slot] = true;
        }
        assert_int_equal(herd_subscriber_next(&changes, &subscriber), HERD_NO_SLOT);
        assert_int_equal(subscriber.pending, 0);
        herd_changes_unsubscribe(&changes, &subscriber);
        herd_changes_fini(&changes);
    }
}

/* ---- at random, against the naive way ---- */

#define READERS   3
#define SLOTS_MAX 5000
#define STEPS_MAX 10000

struct naive {
    bool dirty[SLOTS_MAX];
    size_t pending;
    size_t cursor; /* in the stream of all changes */
    bool joined;
    bool ordered; /* no lap and no mark since the reader was told that nothing is left */
};

struct world {
    struct herd_changes changes;
    struct herd_subscriber reader[READERS];
    struct naive naive[READERS];
    uint32_t slots;
    uint64_t ring;
    uint32_t stream[STEPS_MAX]; /* every change that was news to a reader, never forgotten */
    size_t at;
};

static void naive_set(const struct world *w, struct naive *n, uint32_t slot)
{
    if (n->pending == 0)
        n->cursor = w->at;
    n->pending += !n->dirty[slot];
    n->dirty[slot] = true;
}

static uint32_t naive_first(const struct world *w, struct naive *n)
{
    while (n->cursor < w->at && !n->dirty[w->stream[n->cursor]])
        n->cursor++;
    assert_true(n->cursor < w->at);
    return w->stream[n->cursor++];
}

static void take_one(struct world *w, size_t r)
{
    struct naive *n = &w->naive[r];
    uint32_t slot = herd_subscriber_next(&w->changes, &w->reader[r]);
    if (n->pending == 0) {
        assert_int_equal(slot, HERD_NO_SLOT);
        n->ordered = true;
        return;
    }
    assert_true(slot < w->slots); /* something is due: it is given */
    assert_true(n->dirty[slot]);  /* and nothing that is not */
    if (n->ordered)
        assert_int_equal(slot, naive_first(w, n));
    n->dirty[slot] = false;
    n->pending--;
}

static void note(struct world *w, uint32_t slot, const struct herd_subscriber *except)
{
    bool anyone = false;
    for (size_t i = 0; i < READERS; i++) {
        if (!w->naive[i].joined || &w->reader[i] == except)
            continue;
        anyone |= !w->naive[i].dirty[slot] || w->reader[i].sweep_left > 0;
        naive_set(w, &w->naive[i], slot);
    }
    if (anyone)
        w->stream[w->at++] = slot;
    herd_changes_publish(&w->changes, slot, except);
    for (size_t i = 0; i < READERS; i++)
        if (w->at - w->naive[i].cursor > w->ring)
            w->naive[i].ordered = false;
}

static void random_step(struct world *w, uint64_t *seed)
{
    size_t r = rnd_below(seed, READERS);
    struct naive *n = &w->naive[r];
    uint32_t slot = (uint32_t)rnd_below(seed, w->slots);
    switch (rnd_below(seed, 64)) {
    case 0:
        if (n->joined) {
            herd_changes_unsubscribe(&w->changes, &w->reader[r]);
            *n = (struct naive){0};
        } else {
            assert_int_equal(herd_changes_subscribe(&w->changes, &w->reader[r]), 0);
            n->joined = n->ordered = true;
            if (rnd(seed) & 1) {
                herd_subscriber_mark_all_dirty(&w->changes, &w->reader[r], w->slots);
                for (uint32_t s = 0; s < w->slots; s++)
                    naive_set(w, n, s);
                n->ordered = false;
            }
        }
        break;
    case 1:
        if (n->joined) {
            naive_set(w, n, slot);
            n->ordered = false;
            herd_subscriber_mark_dirty(&w->changes, &w->reader[r], slot);
        }
        break;
    case 2:
        if (w->slots < SLOTS_MAX && rnd_below(seed, 4) == 0 && w->ring > 64) {
            uint32_t more = (uint32_t)rnd_below(seed, 300) + 1;
            w->slots = w->slots + more > SLOTS_MAX ? SLOTS_MAX : w->slots + more;
            assert_int_equal(herd_changes_reserve(&w->changes, w->slots), 0);
        }
        break;
    case 3:
    case 4:
    case 5:
        if (n->joined) {
            herd_subscriber_clear(&w->reader[r], slot);
            n->pending -= n->dirty[slot];
            n->dirty[slot] = false;
        }
        break;
    case 6: /* catch up */
        while (n->joined && n->pending)
            take_one(w, r);
        if (n->joined)
            take_one(w, r);
        break;
    default:
        if (rnd_below(seed, 5) < 2) {
            if (n->joined)
                take_one(w, r);
            break;
        }
        note(w, slot, n->joined && rnd(seed) & 1 ? &w->reader[r] : NULL);
    }
    for (size_t i = 0; i < READERS; i++) {
        if (!w->naive[i].joined)
            continue;
        assert_int_equal(w->reader[i].pending, w->naive[i].pending);
        assert_int_equal(herd_subscriber_has(&w->reader[i], slot), w->naive[i].dirty[slot]);
    }
}

static void run(uint64_t seed, uint32_t ring, uint32_t slots, int steps)
{
    struct world *w = calloc(1, sizeof *w);
    w->slots = slots;
    w->ring = ring;
    open_changes(&w->changes, ring);
    for (int i = 0; i < steps; i++)
        random_step(w, &seed);
    for (size_t r = 0; r < READERS; r++) {
        if (!w->naive[r].joined)
            continue;
        while (w->naive[r].pending > 0)
            take_one(w, r);
        take_one(w, r); /* nothing left */
        herd_changes_unsubscribe(&w->changes, &w->reader[r]);
    }
    herd_changes_fini(&w->changes);
    free(w);
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        run(seed, 64, 50, 4000);    /* order checked exactly */
        run(seed, 1024, 80, 4000);  /* hardly a lap */
        run(seed, 8, 40, 4000);     /* laps all the time */
        run(seed, 128, 700, 10000); /* grows while sweeping */
    }
}

/* A reader that never reads while the ring goes round many times loses nothing, and costs its bits. */
static void test_many_laps(void **state)
{
    (void)state;
    struct herd_changes changes;
    struct herd_subscriber slow, quick;
    open_changes(&changes, 8);
    herd_changes_subscribe(&changes, &slow);
    herd_changes_subscribe(&changes, &quick);
    for (uint32_t i = 0; i < 10000; i++) {
        herd_changes_publish(&changes, i * 7 % 1000, NULL);
        assert_int_equal(herd_subscriber_next(&changes, &quick), i * 7 % 1000);
    }
    assert_int_equal(slow.pending, 1000);
    bool seen[1000] = {false};
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t slot = herd_subscriber_next(&changes, &slow);
        assert_true(slot < 1000 && !seen[slot]);
        seen[slot] = true;
    }
    assert_int_equal(herd_subscriber_next(&changes, &slow), HERD_NO_SLOT);
    herd_changes_unsubscribe(&changes, &slow);
    herd_changes_unsubscribe(&changes, &quick);
    herd_changes_fini(&changes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_place_in_the_queue),
        cmocka_unit_test(test_except_and_joining_late),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_news_go_before_a_sweep),
        cmocka_unit_test(test_mark_all),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_many_laps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
