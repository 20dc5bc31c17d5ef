/* SPDX-License-Identifier: MIT */
/*
 * Thirty-two herds of two servers that gain one, in memory: how many clients move, and that none is lost. What is promised:
 *
 *     at any time     a report that was answered with AT is held by the servers of the herd that answered; one that was
 *                     not is the client's to make again
 *     while told      servers that know of the new herd and others that do not send a client to each other; three SEE
 *                     are followed, and what then still is not answered is reported again later
 *     when all know   from its next report on each client is held, by its newest report, by the herd that has its bucket;
 *                     until then its former herd holds what it said, and the new one knows nothing of it
 *     carried over    a neighbour that says the records of the buckets that moved: the new herd knows them at once
 *
 * The same calls give the same run: the figures that are printed are the same each time.
 */
#include "cm.h"
#include "wire.h"

#include "node_impl.h"

#include <herd/shard.h>

#include <stdio.h>
#include <string.h>

#define HERDS   33
#define SERVERS 2
#define CLIENTS 6000
#define HOPS    3

struct client {
    char id[16];
    unsigned bucket;
    int herd;      /* where it last was answered */
    unsigned told; /* the time of the newest report that was answered */
};

/* A herd, and the table that each of its servers was told. */
struct shard {
    char name[16];
    struct wire *wire;
    struct wire_end *ends[SERVERS];
    struct herd_node_address servers[SERVERS];
};

static struct shard shards[HERDS];
static struct herd_span names[HERDS];
static struct herd_node_shard herds[HERDS];
static struct herd_node_shards tables[HERDS][2]; /* of each herd: without the last one, and with it */
static struct client clients[CLIENTS];
static unsigned moved_clients, moved_buckets;

/* ---- the herds ---- */

static void make_table(size_t self, size_t count, struct herd_node_shards *ret_table)
{
    *ret_table = (struct herd_node_shards){.key = 77, .self = (uint16_t)self, .herds = herds};
    herd_shard_table(names, count, ret_table->herd_of_bucket);
}

static void tell(size_t herd, int server, bool of_the_last)
{
    herd_node_set_shards(shards[herd].wire->nodes[server].node, &tables[herd][of_the_last]);
}

static void begin(void)
{
    for (size_t i = 0; i < HERDS; i++) {
        struct shard *shard = &shards[i];
        snprintf(shard->name, sizeof shard->name, "h%02zu", i);
        names[i] = herd_span_of(shard->name);
        /* C is the neighbour that carries buckets over. */
        shard->wire = wire_new("A B C", "A-B A-C");
        for (int s = 0; s < SERVERS; s++) {
            assert_int_equal(wire_start(shard->wire, s), 0);
            shard->servers[s] = (struct herd_node_address){names[i], (uint16_t)(s + 1)};
        }
        wire_settle(shard->wire);
        for (int s = 0; s < SERVERS; s++)
            shard->ends[s] = wire_client(shard->wire, s);
        herds[i] = (struct herd_node_shard){shard->servers, SERVERS};
    }
    moved_buckets = moved_clients = 0;
    for (size_t i = 0; i < HERDS; i++) {
        make_table(i, HERDS - 1, &tables[i][0]);
        make_table(i, HERDS, &tables[i][1]);
        for (int s = 0; s < SERVERS; s++)
            tell(i, s, i == HERDS - 1);
    }
    for (unsigned bucket = 0; bucket < HERD_BUCKETS; bucket++)
        moved_buckets += tables[0][1].herd_of_bucket[bucket] == HERDS - 1;
    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *client = &clients[i];
        *client = (struct client){.herd = (int)(i % (HERDS - 1))};
        snprintf(client->id, sizeof client->id, "client-%zu", i);
        client->bucket = herd_bucket(herd_span_of(client->id), 77);
        moved_clients += tables[0][1].herd_of_bucket[client->bucket] == HERDS - 1;
    }
}

static void end(void)
{
    for (size_t i = 0; i < HERDS; i++)
        wire_free(shards[i].wire);
}

static bool held(size_t herd, int server, const struct client *client, struct herd_record *ret_record)
{
    struct herd_store *store = herd_node_store(shards[herd].wire->nodes[server].node);
    return herd_store_get(store, herd_span_of(client->id), ret_record);
}

/* Whether both servers of a herd hold the newest report of a client that was answered. */
static bool has_newest(size_t herd, const struct client *client)
{
    struct herd_record record;
    char time[16];
    snprintf(time, sizeof time, "%u", client->told);
    for (int s = 0; s < SERVERS; s++)
        if (!held(herd, s, client, &record) || !herd_span_equal(record.time, herd_span_of(time)))
            return false;
    return true;
}

/* ---- the clients ---- */

/* Says a line to a server. The reply is borrowed until the next call; its LF is cut off. */
static const char *ask(size_t herd, int server, const char *line)
{
    struct wire_end *end = shards[herd].ends[server];
    end->in.len = 0;
    wire_say(shards[herd].wire, end, line);
    assert_true(end->in.len > 0 && end->in.at[end->in.len - 1] == '\n');
    end->in.at[end->in.len - 1] = '\0';
    return end->in.at;
}

/* Reports, and follows. Returns how often it had to; HOPS + 1: it was not answered. */
static unsigned report(struct client *client, unsigned time)
{
    char line[96];
    int herd = client->herd, server = (int)(time % SERVERS);
    snprintf(line, sizeof line, "IAMAT %.15s +1+2 %u\n", client->id, time);
    for (unsigned hops = 0;; hops++) {
        unsigned port, bucket;
        const char *reply = ask((size_t)herd, server, line);
        if (strncmp(reply, "AT ", 3) == 0) {
            client->herd = herd;
            client->told = time;
            assert_true(has_newest((size_t)herd, client));
            return hops;
        }
        assert_int_equal(sscanf(reply, "SEE h%d %u %u", &herd, &port, &bucket), 3);
        assert_int_equal(bucket, client->bucket);
        assert_true(herd < HERDS && port >= 1 && port <= SERVERS);
        server = (int)port - 1;
        if (hops == HOPS)
            return HOPS + 1;
    }
}

static void report_all(unsigned time, unsigned ret_hops[HOPS + 2])
{
    memset(ret_hops, 0, (HOPS + 2) * sizeof *ret_hops);
    for (size_t i = 0; i < CLIENTS; i++)
        ret_hops[report(&clients[i], time)]++;
}

static int herd_of(const struct client *client, bool of_the_last)
{
    return tables[0][of_the_last].herd_of_bucket[client->bucket];
}

/* Each is where it belongs, and nowhere is a client of another herd, as long as none moved. */
static void settled(bool of_the_last)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(clients[i].herd, herd_of(&clients[i], of_the_last));
        assert_true(has_newest((size_t)clients[i].herd, &clients[i]));
    }
}

static void first_reports(void)
{
    unsigned hops[HOPS + 2];
    report_all(1, hops);
    assert_int_equal(hops[0] + hops[1], CLIENTS); /* one SEE is enough where all know the same */
    settled(false);
    size_t records = 0;
    for (size_t i = 0; i < HERDS; i++)
        records += herd_store_count(herd_node_store(shards[i].wire->nodes[0].node));
    assert_int_equal(records, CLIENTS);
    report_all(2, hops);
    assert_int_equal(hops[0], CLIENTS);
}

/* ---- a herd is added ---- */

static void test_told_one_after_the_other(void **state)
{
    (void)state;
    unsigned hops[HOPS + 2], unanswered = 0, followed = 0, time = 3;
    begin();
    first_reports();
    print_message("%d herds of %d servers, %d clients; with one more %u buckets and %u clients move (1 in %.1f)\n",
                  HERDS - 1, SERVERS, CLIENTS, moved_buckets, moved_clients,
                  (double)CLIENTS / (double)moved_clients);
    assert_in_range(moved_clients, CLIENTS / HERDS / 2, CLIENTS / HERDS * 2);
    /* Half of the servers, in some order, then the others; clients report in between. */
    for (int step = 0; step < 4; step++) {
        for (size_t i = 0; i < HERDS - 1; i++)
            for (int s = 0; s < SERVERS; s++)
                if (((int)i + s) % 4 == step)
                    tell(i, s, true);
        report_all(time++, hops);
        unanswered += hops[HOPS + 1];
        followed += hops[1] + hops[2] + hops[3];
        for (size_t i = 0; i < CLIENTS; i++) /* what was answered is held where it was */
            assert_true(has_newest((size_t)clients[i].herd, &clients[i]));
    }
    for (size_t i = 0; i < CLIENTS; i++) /* who does not move is not disturbed */
        assert_true(herd_of(&clients[i], false) == herd_of(&clients[i], true) ||
                    herd_of(&clients[i], true) == HERDS - 1);
    report_all(time++, hops);
    assert_int_equal(hops[HOPS + 1], 0);
    settled(true);
    print_message("told one after the other: %u reports followed, %u not answered within %d SEE and made again\n",
                  followed, unanswered, HOPS);
    report_all(time, hops);
    assert_int_equal(hops[0], CLIENTS);
    settled(true);
    end();
}

static void tell_all(void)
{
    for (size_t i = 0; i < HERDS - 1; i++)
        for (int s = 0; s < SERVERS; s++)
            tell(i, s, true);
}

/* How many clients the herd that has them does not know. */
static unsigned unknown(void)
{
    unsigned count = 0;
    for (size_t i = 0; i < CLIENTS; i++)
        count += !has_newest((size_t)herd_of(&clients[i], true), &clients[i]);
    return count;
}

static void test_until_the_next_report(void **state)
{
    (void)state;
    unsigned hops[HOPS + 2];
    begin();
    first_reports();
    tell_all();
    assert_int_equal(unknown(), moved_clients);
    for (size_t i = 0; i < CLIENTS; i++) /* and all are still held by somebody */
        assert_true(has_newest((size_t)clients[i].herd, &clients[i]));
    report_all(3, hops);
    assert_int_equal(hops[0], CLIENTS - moved_clients);
    assert_int_equal(hops[1], moved_clients);
    assert_int_equal(unknown(), 0);
    settled(true);
    print_message("told at once: %u clients are unknown to their herd until their next report, none after it\n",
                  moved_clients);
    end();
}

/* Says the records of a herd that are in buckets of the last one, to that one, as a neighbour does. */
static size_t carry(size_t from, struct wire_end *to)
{
    struct herd_store *store = herd_node_store(shards[from].wire->nodes[0].node);
    struct herd_buf lines = {0};
    size_t count = 0;
    for (uint32_t slot = 0; slot < herd_store_slots(store); slot++) {
        struct herd_record record;
        if (!herd_store_get_slot(store, slot, &record))
            continue;
        if (tables[0][1].herd_of_bucket[herd_bucket(record.id, 77)] != HERDS - 1)
            continue;
        assert_int_equal(herd_store_format(store, slot, &lines), 0);
        count++;
    }
    wire_write(to, (struct herd_span){lines.at, lines.len});
    wire_run(to->wire);
    to->in.len = 0;
    herd_buf_fini(&lines);
    return count;
}

static void test_carried_over(void **state)
{
    (void)state;
    unsigned hops[HOPS + 2];
    size_t carried = 0;
    begin();
    first_reports();
    struct wire *last = shards[HERDS - 1].wire;
    struct wire_end *carrier = wire_client(last, 0);
    wire_say(last, carrier, "HELLO 2 C A 0000000000000009\n");
    for (size_t i = 0; i < HERDS - 1; i++)
        carried += carry(i, carrier);
    carried += carry(0, carrier) * 0; /* twice does no harm */
    assert_int_equal(carried, moved_clients);
    assert_int_equal(unknown(), 0);
    tell_all();
    assert_int_equal(unknown(), 0);
    assert_int_equal(herd_store_count(herd_node_store(last->nodes[0].node)), moved_clients);
    report_all(3, hops);
    assert_int_equal(hops[1], moved_clients);
    settled(true);
    print_message("carried over: %zu records, and none is unknown at any time\n", carried);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_told_one_after_the_other),
        cmocka_unit_test(test_until_the_next_report),
        cmocka_unit_test(test_carried_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
