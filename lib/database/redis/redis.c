/* SPDX-License-Identifier: MIT */
/* The driver: what an adapter does, for Redis. */
#include "redis_impl.h"

#include <event2/dns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A page has about so many rows at most, whatever is asked for: what comes of it is told in one turn of the loop. */
#define PAGE_MAX 1000

static void on_later(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct herd_database *database = arg;
    char text[HERD_REDIS_MESSAGE_MAX];
    memcpy(text, database->later_message, sizeof text);
    herd_redis_conn_fail(database, HERD_DATABASE_LOST, text);
}

static void on_page_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    herd_redis_pages_tell(arg);
    herd_redis_conn_flush(arg);
}

static void drop(struct herd_database *database)
{
    herd_redis_dial_cancel(database);
    herd_redis_conn_drop(database);
}

static void redis_close(struct herd_database *database)
{
    if (!database)
        return;
    if (database->later && database->page_due)
        drop(database);
    if (database->later)
        event_free(database->later);
    if (database->page_due)
        event_free(database->page_due);
    if (database->dns)
        evdns_base_free(database->dns, 1);
    free(database->input);
    herd_buf_fini(&database->prefix);
    herd_redis_dsn_fini(&database->dsn);
    free(database);
}

/* "herd:{NAME}:at:", of which the last three are not counted. */
static int make_prefix(struct herd_buf *prefix, const char *herd)
{
    int err = herd_buf_add_text(prefix, "herd:{");
    err = err < 0 ? err : herd_buf_add_text(prefix, herd ? herd : "");
    err = err < 0 ? err : herd_buf_add_text(prefix, "}:");
    if (err < 0)
        return err;
    err = herd_buf_add_text(prefix, "at:");
    prefix->len -= err < 0 ? 0 : 3;
    return err;
}

static int redis_open(struct herd_database **ret_database, struct event_base *base,
                      const struct herd_database_options *options, const struct herd_database_events *events,
                      void *ctx, struct herd_diagnostic *reterr_diagnostic)
{
    /* Patterns of SCAN and the tag of a cluster would take some bytes for something else. */
    for (const char *at = options->herd; at && *at; at++)
        if (strchr("*?[]\\{}", *at)) {
            *reterr_diagnostic = (struct herd_diagnostic){.message = "a herd's name has none of * ? [ ] \\ { }"};
            return HERD_E_SYNTAX;
        }
    if (options->history) {
        *reterr_diagnostic =
            (struct herd_diagnostic){.message = "a Redis keeps no history: history is for postgres"};
        return HERD_E_UNSUPPORTED;
    }
    struct herd_database *database = calloc(1, sizeof *database);
    if (!database)
        return HERD_E_NOMEM;
    database->base = base;
    database->events = events;
    database->ctx = ctx;
    database->geo = options->geo;
    database->fd = -1;
    int err = herd_redis_dsn_parse(&database->dsn, options->dsn, reterr_diagnostic);
    if (err >= 0)
        err = make_prefix(&database->prefix, options->herd);
    if (err >= 0) {
        database->later = event_new(base, -1, 0, on_later, database);
        database->page_due = event_new(base, -1, 0, on_page_due, database);
        database->input = malloc(HERD_REDIS_INPUT_BYTES);
        if (!database->later || !database->page_due || !database->input)
            err = HERD_E_NOMEM;
    }
    if (err < 0) {
        redis_close(database);
        return err;
    }
    *ret_database = database;
    return 0;
}

static void redis_disconnect(struct herd_database *database)
{
    drop(database);
}

static int redis_connect(struct herd_database *database)
{
    drop(database);
    snprintf(database->server, sizeof database->server, "redis");
    return herd_redis_dial(database);
}

static void begin(struct herd_database *database, struct herd_redis_operation *operation)
{
    herd_redis_operation_add(database, operation);
    herd_redis_conn_flush(database);
}

static int may_begin(const struct herd_database *database)
{
    if (!database->ready)
        return HERD_E_STATE;
    return database->operation_count >= HERD_REDIS_OPERATIONS_MAX ? HERD_E_NOMEM : 0;
}

static int redis_write(struct herd_database *database, uint64_t ticket, const struct herd_database_row *rows,
                       size_t count, const struct herd_database_writer *writer)
{
    struct herd_redis_operation *write;
    int err = may_begin(database);
    if (err >= 0)
        err = herd_redis_encode_write(database, ticket, rows, count, writer, &write);
    if (err >= 0)
        begin(database, write);
    return err;
}

static int redis_read_writers(struct herd_database *database, uint64_t ticket)
{
    struct herd_redis_operation *read;
    int err = may_begin(database);
    if (err >= 0)
        err = herd_redis_encode_writers(database, ticket, &read);
    if (err >= 0)
        begin(database, read);
    return err;
}

static int redis_read_page(struct herd_database *database, uint64_t ticket, size_t limit, bool first)
{
    int err = may_begin(database);
    if (err >= 0 && database->paging)
        err = HERD_E_STATE;
    if (err < 0)
        return err;
    database->page_limit = limit < 1 ? 1 : limit > PAGE_MAX ? PAGE_MAX : limit;
    if (first)
        herd_redis_pages_rewind(database);
    if (database->ahead)
        event_active(database->page_due, EV_TIMEOUT, 0);
    else if (!database->page)
        err = herd_redis_pages_begin(database);
    if (err < 0)
        return err;
    herd_redis_conn_flush(database);
    database->page_ticket = ticket;
    database->paging = true;
    return 0;
}

static int redis_find(struct herd_database *database, uint64_t ticket, struct herd_span id)
{
    struct herd_redis_operation *find;
    int err = may_begin(database);
    if (err >= 0)
        err = herd_redis_encode_find(database, ticket, id, &find);
    if (err >= 0)
        begin(database, find);
    return err;
}

const struct herd_database_driver herd_redis_driver = {
    .version = HERD_DATABASE_VERSION,
    .kind = "redis",
    .open = redis_open,
    .close = redis_close,
    .connect = redis_connect,
    .disconnect = redis_disconnect,
    .write = redis_write,
    .read_writers = redis_read_writers,
    .read_page = redis_read_page,
    .find = redis_find,
};
