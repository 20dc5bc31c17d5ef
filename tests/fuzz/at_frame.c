/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as lines between servers, into two stores: in order, and in reverse. Both must end with the same
 * records and digest, and each stored record must come out as a line that parses to the same.
 */
#include <herd/protocol.h>
#include <herd/store.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

#define LINES_MAX 256

static struct herd_record record_of(const struct herd_command *c)
{
    return (struct herd_record){c->server, c->diff, c->id, c->position, c->time, c->time_ns};
}

static bool same(const struct herd_record *a, const struct herd_record *b)
{
    return herd_span_equal(a->server, b->server) && herd_span_equal(a->diff, b->diff) &&
           herd_span_equal(a->id, b->id) && herd_span_equal(a->position, b->position) &&
           herd_span_equal(a->time, b->time) && a->time_ns == b->time_ns;
}

static void put(struct herd_store *store, const struct herd_command *c)
{
    struct herd_record record = record_of(c), stored;
    struct herd_buf line = {0};
    struct herd_command d;
    enum herd_put verdict;
    uint32_t slot;
    MUST(herd_store_put(store, &record, &verdict, &slot) == 0);
    MUST(herd_store_get_slot(store, slot, &stored));
    MUST((verdict == HERD_PUT_OLDER) == !same(&record, &stored));
    MUST(herd_store_format(store, slot, &line) == 0);
    MUST(line.at[line.len - 1] == '\n');
    MUST(herd_command_parse((struct herd_span){line.at, line.len - 1}, &d) == c->verb || verdict == HERD_PUT_OLDER);
    MUST(d.verb == HERD_AT || d.verb == HERD_GONE);
    struct herd_record back = record_of(&d);
    MUST(herd_store_get_slot(store, slot, &stored) && same(&stored, &back));
    herd_buf_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct herd_command commands[LINES_MAX];
    size_t n = 0, seen = 0;
    struct herd_span rest = {(const char *)data, size}, line;
    while (n < LINES_MAX && herd_line_next(&rest, &seen, 65536, &line) == HERD_LINE)
        n += herd_command_parse(line, &commands[n]) == HERD_AT || commands[n].verb == HERD_GONE;

    struct herd_store *forth, *back;
    struct herd_store_options keys[2] = {{{1, 2}, 3}, {{4, 5}, 3}};
    MUST(herd_store_new(&forth, &keys[0]) == 0 && herd_store_new(&back, &keys[1]) == 0);
    for (size_t i = 0; i < n; i++) {
        put(forth, &commands[i]);
        put(back, &commands[n - 1 - i]);
    }
    MUST(herd_store_digest(forth) == herd_store_digest(back));
    MUST(herd_store_count(forth) == herd_store_count(back));
    MUST(herd_store_tombstones(forth) == herd_store_tombstones(back));
    for (size_t i = 0; i < n; i++) {
        struct herd_record a, b;
        MUST(herd_store_get(forth, commands[i].id, &a) && herd_store_get(back, commands[i].id, &b));
        MUST(same(&a, &b));
    }
    uint64_t digest = herd_store_digest(forth);
    for (uint32_t slot = 0; slot < herd_store_slots(forth); slot++)
        herd_store_remove(forth, slot);
    MUST(herd_store_digest(forth) == 0 && herd_store_count(forth) == 0 && herd_store_tombstones(forth) == 0);
    for (size_t i = 0; i < n; i++)
        put(forth, &commands[i]);
    MUST(herd_store_digest(forth) == digest);
    herd_store_free(forth);
    herd_store_free(back);
    return 0;
}
