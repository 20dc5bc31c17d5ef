/* SPDX-License-Identifier: MIT */
/* Questions to the area, in turn, some steps of each. */
#include "search.h"

#include "../../core/node/node_impl.h"
#include "server_impl.h"

#include <stdlib.h>
#include <string.h>

/* A step of a question is some tens of nanoseconds; giving out a hit, which is formatted then, counts as HIT_STEPS, and
 * one more for each HIT_BYTES of its id. */
#define STEPS_A_TURN  512
#define STEPS_AT_ONCE 1024
#define HITS_AT_ONCE  100
#define HIT_STEPS     16
#define HIT_BYTES     16

struct herd_search {
    struct herd_list link; /* in the server's list */
    struct herd_server *server;
    struct herd_conn *conn;
    struct herd_area_query *query;
    struct herd_shape *shape;
    const struct herd_search_asker *asker;
    void *ctx;
    bool found; /* all are, and are being given out */
    char except[];
};

static void free_search(struct herd_search *search)
{
    if (herd_list_linked(&search->link))
        search->server->search_count--;
    herd_list_remove(&search->link);
    herd_area_query_free(search->query);
    herd_shape_free(search->shape);
    free(search);
}

/* `cut`: hits were left out. */
static void finish(struct herd_search *search, int err, bool cut)
{
    const struct herd_search_asker *asker = search->asker;
    void *ctx = search->ctx;
    bool truncated = cut || herd_area_truncated(search->query);
    free_search(search);
    asker->done(ctx, err, truncated);
}

/* Whether a session may ask for anybody, and on whose behalf. */
static int rights(const struct herd_server *server, const struct herd_conn *conn,
                  const struct herd_identity **ret_identity)
{
    *ret_identity = NULL;
    if (!conn || !server->node->options.access)
        return 0;
    *ret_identity = herd_session_identity(conn->session);
    return *ret_identity ? 0 : HERD_E_ACCESS;
}

/* Works for about *io_steps, from which it takes what was done. True: the search has ended, and is no more. */
static bool work(struct herd_search *search, struct herd_now now, size_t *io_steps)
{
    struct herd_area_hit hit;
    if (!search->found) {
        uint64_t before = herd_area_steps(search->query);
        search->found = !herd_area_step(search->query, now, *io_steps);
        uint64_t done = herd_area_steps(search->query) - before;
        *io_steps -= done < *io_steps ? (size_t)done : *io_steps;
    }
    while (search->found && *io_steps > 0) {
        bool more = herd_area_hit(search->query, &hit);
        size_t steps = HIT_STEPS + (more ? hit.record.id.len / HIT_BYTES : 0);
        *io_steps -= *io_steps < steps ? *io_steps : steps;
        int err = more ? search->asker->hit(search->ctx, &hit) : 0;
        if (err != 0 || !more) {
            finish(search, err < 0 ? err : 0, err > 0);
            return true;
        }
    }
    return false;
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct herd_server *server = arg;
    const struct herd_now now = herd_clock();
    size_t steps = STEPS_A_TURN;
    (void)fd;
    (void)what;
    herd_log_set_time(server->log, now.wall_ns);
    while (steps > 0 && !herd_list_empty(&server->searches)) {
        struct herd_search *search = HERD_CONTAINER_OF(server->searches.next, struct herd_search, link);
        if (work(search, now, &steps))
            continue;
        herd_list_remove(&search->link); /* it is the others' turn */
        herd_list_append(&server->searches, &search->link);
    }
    herd_searches_resume(server);
}

void herd_searches_resume(struct herd_server *server)
{
    if (!herd_list_empty(&server->searches))
        event_add(server->search_event, &(struct timeval){0, 0});
}

int herd_search_begin(struct herd_server *server, struct herd_conn *conn, const struct herd_area_question *question,
                      struct herd_shape *shape, const struct herd_search_asker *asker, void *ctx,
                      struct herd_search **ret_search)
{
    const struct herd_identity *identity;
    const struct herd_now now = herd_clock();
    *ret_search = NULL;
    if (server->search_count >= (size_t)server->limits->searches_max)
        return HERD_E_LIMIT;
    int err = rights(server, conn, &identity);
    if (err < 0)
        return err;
    struct herd_search *search = calloc(1, sizeof *search + question->except.len + 1);
    if (!search)
        return HERD_E_NOMEM;
    *search = (struct herd_search){.server = server, .conn = conn, .asker = asker, .ctx = ctx};
    struct herd_area_question own = *question;
    own.shape = shape;
    own.identity = identity;
    if (own.except.at) {
        memcpy(search->except, question->except.at, question->except.len);
        own.except.at = search->except;
    }
    err = herd_area_ask(server->area, &own, &search->query);
    if (err >= 0 && !herd_area_behind(server->area))
        search->found = !herd_area_step(search->query, now, STEPS_AT_ONCE);
    bool at_once = search->found && herd_area_hit_count(search->query) <= HITS_AT_ONCE;
    if (err >= 0 && !at_once && event_add(server->search_event, &(struct timeval){0, 0}) < 0)
        err = HERD_E_NOMEM;
    if (err < 0) {
        herd_area_query_free(search->query);
        free(search);
        return err;
    }
    search->shape = shape;
    if (at_once) {
        size_t steps = SIZE_MAX; /* HITS_AT_ONCE bounds them, and who asks the bytes */
        bool ended = work(search, now, &steps);
        assert(ended);
        (void)ended;
        return 0;
    }
    herd_list_append(&server->searches, &search->link);
    server->search_count++;
    *ret_search = search;
    return 0;
}

void herd_search_cancel(struct herd_search *search)
{
    if (search)
        free_search(search);
}

int herd_searches_open(struct herd_server *server)
{
    server->search_event = evtimer_new(server->base, on_turn, server);
    return server->search_event ? 0 : HERD_E_NOMEM;
}

void herd_searches_close(struct herd_server *server)
{
    while (!herd_list_empty(&server->searches))
        free_search(HERD_CONTAINER_OF(server->searches.next, struct herd_search, link));
    if (server->search_event)
        event_free(server->search_event);
}

void herd_searches_reloaded(struct herd_server *server)
{
    struct herd_list *next;
    for (struct herd_list *at = server->searches.next; at != &server->searches; at = next) {
        struct herd_search *search = HERD_CONTAINER_OF(at, struct herd_search, link);
        const struct herd_identity *identity = NULL;
        next = at->next;
        if (search->conn && !search->conn->session)
            continue; /* closed, and about to be cancelled */
        if (rights(server, search->conn, &identity) < 0)
            finish(search, HERD_E_ACCESS, false);
        else
            herd_area_query_set_identity(search->query, identity);
    }
}
