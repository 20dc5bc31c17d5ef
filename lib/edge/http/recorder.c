/* SPDX-License-Identifier: MIT */
/*
 * OwnTracks Recorder's API, the part that reads what is newest: GET /api/0/last and /api/0/list, `user` and `device` in the
 * query. An id USER/DEVICE is a device of a user. One client is found at once, however many there are; else the store is
 * gone through, and that only if it is so small that nobody waits.
 */
#include "../../trackers/recorder.h"
#include "../../core/store/store_impl.h"
#include "../../trackers/client_id.h"
#include "http_impl.h"

#include <herd/store.h>

#include <stdlib.h>

/* The slots of the store that one request goes through. */
#define SLOTS_MAX   4096
#define ESCAPED_MAX 6 /* bytes that JSON makes of one */

struct question {
    struct herd_span user, device; /* decoded, {NULL, 0}: not said */
    struct herd_buf prefix;        /* USER/ as it stands in ids; USER/DEVICE where both are said */
    struct herd_buf id;            /* that is looked at */
};

static void fini(struct question *question)
{
    herd_buf_fini(&question->prefix);
    herd_buf_fini(&question->id);
}

static int read_question(struct herd_http_exchange *exchange, struct question *ret_question)
{
    struct herd_http_pairs pairs = {.rest = exchange->query};
    struct herd_span name, value;
    while (herd_http_pair_next(exchange, &pairs, &name, &value)) {
        struct herd_span *word = herd_span_equal(name, herd_span_of("user"))     ? &ret_question->user
                                 : herd_span_equal(name, herd_span_of("device")) ? &ret_question->device
                                                                                 : NULL;
        if (word && word->at)
            return HERD_E_SYNTAX;
        if (word)
            *word = value;
    }
    if (pairs.err < 0)
        return pairs.err;
    if (ret_question->user.len == 0)
        return ret_question->device.len == 0 ? 0 : HERD_E_SYNTAX;
    const size_t max = (size_t)exchange->server->config->limits.line_max_bytes;
    int err = herd_client_id_add(&ret_question->prefix, ret_question->user, HERD_CLIENT_ID_ESCAPE, max);
    if (err >= 0)
        err = herd_client_id_add(&ret_question->prefix, (struct herd_span){"/", 1}, HERD_CLIENT_ID_SLASH, max);
    if (err >= 0)
        err = herd_client_id_add(&ret_question->prefix, ret_question->device, HERD_CLIENT_ID_ESCAPE, max);
    return err;
}

static bool begins(struct herd_span id, const struct herd_buf *prefix)
{
    return prefix->len == 0 ||
           (id.len >= prefix->len &&
            herd_span_equal((struct herd_span){id.at, prefix->len}, (struct herd_span){prefix->at, prefix->len}));
}

/* The record of a slot, if it is asked for and the one who asks may know: 1. 0: none. HERD_E_NOMEM. */
static int find_wanted(struct herd_http_exchange *exchange, struct question *question, uint32_t slot,
                       struct herd_record *ret_record)
{
    struct herd_node *node = exchange->server->node;
    struct herd_buf *id = &question->id;
    int err = herd_store_read_slot(herd_node_store(node), slot, ret_record);
    if (err <= 0)
        return err;
    if (!begins(ret_record->id, &question->prefix) || !herd_http_may_see(exchange, ret_record->id))
        return 0;
    /* Looked for by its id, as any client is: what has expired stays in its slot until it is swept. */
    id->len = 0;
    err = herd_buf_add(id, ret_record->id.at, ret_record->id.len);
    if (err >= 0)
        err = herd_node_find(node, (struct herd_span){id->at, id->len}, exchange->now, ret_record);
    return err >= 0 ? 1 : err == HERD_E_NOTFOUND ? 0 : err;
}

static int refuse(struct herd_http_exchange *exchange, int err)
{
    if (err == HERD_E_NOMEM)
        return err;
    if (err == HERD_E_RANGE)
        return herd_http_problem(exchange, 400, "too-many", "Too many clients",
                                 "this server knows more clients than it lists: ask for a user and a device");
    return herd_http_problem(exchange, 400, "query", "Bad query", "expected user, or user and device, each once");
}

/* ---- last ---- */

static int put_one(struct herd_http_exchange *exchange, const struct question *question, struct herd_buf *out)
{
    struct herd_span id = {question->prefix.at, question->prefix.len};
    struct herd_record record;
    if (!herd_http_may_ask(exchange, id))
        return 0;
    int err = herd_node_find(exchange->server->node, id, exchange->now, &record);
    if (err < 0)
        return err == HERD_E_NOTFOUND ? 0 : err;
    return herd_recorder_put_location(out, &record);
}

static int put_all(struct herd_http_exchange *exchange, struct question *question, struct herd_buf *out)
{
    const struct herd_store *store = herd_node_store(exchange->server->node);
    size_t before = out->len;
    int err = herd_store_slots(store) > SLOTS_MAX ? HERD_E_RANGE : 0;
    for (uint32_t slot = 0; err >= 0 && slot < herd_store_slots(store); slot++) {
        struct herd_record record;
        err = find_wanted(exchange, question, slot, &record);
        if (err <= 0)
            continue;
        if (out->len > before)
            err = herd_buf_add(out, ",", 1);
        if (err >= 0)
            err = herd_recorder_put_location(out, &record);
        if (err >= 0 && out->len > herd_http_list_max_bytes(exchange))
            err = HERD_E_RANGE;
    }
    return err;
}

static int get_last(struct herd_http_exchange *exchange)
{
    struct question question = {0};
    struct herd_buf *out = herd_http_body(exchange);
    int err = read_question(exchange, &question);
    if (err >= 0)
        err = herd_buf_add(out, "[", 1);
    if (err >= 0)
        err = question.device.len > 0 ? put_one(exchange, &question, out) : put_all(exchange, &question, out);
    if (err >= 0)
        err = herd_buf_add(out, "]", 1);
    fini(&question);
    return err < 0 ? refuse(exchange, err) : herd_http_reply(exchange, 200, "application/json");
}

/* ---- list ---- */

/* A name in a buffer of names. */
struct name {
    size_t at, len;
};
struct names {
    struct herd_buf bytes, list; /* of struct name */
};

static int compare(const struct herd_buf *bytes, const struct name *a, const struct name *b)
{
    return herd_span_compare((struct herd_span){bytes->at + a->at, a->len},
                             (struct herd_span){bytes->at + b->at, b->len});
}

/* Puts a name in its place among the others, unless it is there. */
static int insert(struct names *names, struct herd_span text)
{
    struct name name = {names->bytes.len, text.len};
    int err = herd_buf_add(&names->bytes, text.at, text.len);
    if (err >= 0)
        err = herd_buf_reserve(&names->list, sizeof name);
    if (err < 0)
        return err;
    struct name *list = (struct name *)(void *)names->list.at;
    size_t from = 0, count = names->list.len / sizeof name, to = count;
    while (from < to) {
        size_t middle = (from + to) / 2;
        int order = compare(&names->bytes, &list[middle], &name);
        if (order == 0) {
            names->bytes.len = name.at;
            return 0;
        }
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    for (size_t i = count; i > from; i--)
        list[i] = list[i - 1];
    list[from] = name;
    names->list.len += sizeof name;
    return 0;
}

static int gather(struct herd_http_exchange *exchange, struct question *question, struct names *names)
{
    const struct herd_store *store = herd_node_store(exchange->server->node);
    int err = herd_store_slots(store) > SLOTS_MAX ? HERD_E_RANGE : 0;
    for (uint32_t slot = 0; err >= 0 && slot < herd_store_slots(store); slot++) {
        struct herd_record record;
        struct herd_span user, device;
        err = find_wanted(exchange, question, slot, &record);
        if (err <= 0)
            continue;
        herd_recorder_split(record.id, &user, &device);
        if (question->user.len == 0 || device.len > 0)
            err = insert(names, question->user.len > 0 ? device : user);
        if (err >= 0 && names->bytes.len > herd_http_list_max_bytes(exchange) / ESCAPED_MAX)
            err = HERD_E_RANGE;
    }
    return err;
}

static int put_names(const struct names *names, struct herd_buf *out)
{
    const struct name *list = (const struct name *)(const void *)names->list.at;
    size_t count = names->list.len / sizeof *list;
    int err = herd_buf_add_text(out, "{\"results\":[");
    for (size_t i = 0; i < count && err >= 0; i++) {
        if (i > 0)
            err = herd_buf_add(out, ",", 1);
        if (err >= 0)
            err = herd_recorder_put_name(out, (struct herd_span){names->bytes.at + list[i].at, list[i].len});
    }
    return err < 0 ? err : herd_buf_add_text(out, "]}");
}

static int get_list(struct herd_http_exchange *exchange)
{
    struct question question = {0};
    struct names names = {0};
    int err = read_question(exchange, &question);
    if (err >= 0 && question.device.len > 0)
        err = HERD_E_SYNTAX; /* files of one device: there are none */
    if (err >= 0)
        err = gather(exchange, &question, &names);
    if (err >= 0)
        err = put_names(&names, herd_http_body(exchange));
    fini(&question);
    herd_buf_fini(&names.bytes);
    herd_buf_fini(&names.list);
    return err < 0 ? refuse(exchange, err) : herd_http_reply(exchange, 200, "application/json");
}

static const struct herd_http_route routes[] = {
    {.methods = HERD_HTTP_ON_GET,
     .path = "/api/0/last",
     .handler = get_last,
     .right = HERD_HTTP_CLIENT,
     .challenges = true},
    {.methods = HERD_HTTP_ON_GET,
     .path = "/api/0/list",
     .handler = get_list,
     .right = HERD_HTTP_CLIENT,
     .challenges = true},
};

const struct herd_http_module herd_http_recorder = {.routes = routes,
                                                    .route_count = sizeof routes / sizeof *routes};
