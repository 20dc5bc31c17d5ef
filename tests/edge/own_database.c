/* SPDX-License-Identifier: MIT */
/* An adapter of the program's own beside a server: what is accepted is written to it, clients that the server does not know are
 * asked of it, and whoever asked may go before the answer. */
#include "http_world.h"

#include <herd/database.h>

#include <sys/stat.h>

#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"

/* One server's database. Answers come from the loop; finds when `answers` says so. */
struct herd_database {
    struct event *event;
    const struct herd_database_events *events;
    void *ctx;
    bool connecting, answers;
    uint64_t writes[8], writers, find;
    struct herd_database_writer writer; /* what it said of itself last */
    size_t writer_count;
    struct herd_database_writer read; /* the same when it was read */
    size_t read_count;
    size_t write_count, rows, finds, done;
};

static struct herd_database one;

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct herd_database *database = arg;
    if (database->connecting) {
        database->connecting = false;
        database->events->connected(database->ctx, "mine 1");
    }
    if (database->writers) {
        uint64_t ticket = database->writers;
        database->writers = 0;
        database->events->writers(database->ctx, ticket, HERD_DATABASE_DONE, NULL, &database->read,
                                  database->read_count);
    }
    while (database->write_count > 0)
        database->events->written(database->ctx, database->writes[--database->write_count], HERD_DATABASE_DONE,
                                  NULL);
    if (database->find && database->answers) {
        const struct herd_database_row row = {
            .record = {.server = herd_span_of("b"),
                       .diff = herd_span_of("+0.5"),
                       .id = herd_span_of("kiwi"),
                       .position = herd_span_of("+1.5+2.5"),
                       .time = herd_span_of("1621464827.5")},
            .expires_ns = INT64_MAX,
        };
        uint64_t ticket = database->find;
        database->find = 0;
        database->done++;
        database->events->found(database->ctx, ticket, HERD_DATABASE_DONE, NULL, &row);
    }
}

static int open_mine(struct herd_database **ret_database, struct event_base *base,
                     const struct herd_database_options *options, const struct herd_database_events *events,
                     void *ctx, struct herd_diagnostic *reterr_diagnostic)
{
    (void)reterr_diagnostic;
    assert_true(herd_span_equal(options->dsn, herd_span_of("somewhere")));
    one = (struct herd_database){.events = events, .ctx = ctx, .answers = true};
    one.event = event_new(base, -1, EV_PERSIST, on_turn, &one);
    assert_non_null(one.event);
    *ret_database = &one;
    return 0;
}

static void close_mine(struct herd_database *database)
{
    if (database && database->event)
        event_free(database->event);
}

static int connect_mine(struct herd_database *database)
{
    database->connecting = true;
    event_active(database->event, EV_TIMEOUT, 0);
    return 0;
}

static void disconnect_mine(struct herd_database *database)
{
    database->connecting = false;
}

static int write_mine(struct herd_database *database, uint64_t ticket, const struct herd_database_row *rows,
                      size_t count, const struct herd_database_writer *writer)
{
    (void)rows;
    assert_true(herd_span_equal(writer->server, herd_span_of("a")) && database->write_count < 8);
    database->rows += count;
    database->writer = *writer;
    database->writer.server = herd_span_of("a");
    database->writer_count = 1;
    database->writes[database->write_count++] = ticket;
    event_active(database->event, EV_TIMEOUT, 0);
    return 0;
}

static int read_writers_mine(struct herd_database *database, uint64_t ticket)
{
    database->writers = ticket;
    database->read = database->writer;
    database->read_count = database->writer_count;
    event_active(database->event, EV_TIMEOUT, 0);
    return 0;
}

static int read_page_mine(struct herd_database *database, uint64_t ticket, size_t limit, bool first)
{
    (void)database;
    (void)ticket;
    (void)limit;
    (void)first;
    return HERD_E_NOMEM;
}

static int find_mine(struct herd_database *database, uint64_t ticket, struct herd_span id)
{
    assert_true(herd_span_equal(id, herd_span_of("kiwi")));
    database->finds++;
    database->find = ticket;
    event_active(database->event, EV_TIMEOUT, 0);
    return 0;
}

static const struct herd_database_driver mine = {
    HERD_DATABASE_VERSION, "mine",     open_mine,         close_mine,     connect_mine,
    disconnect_mine,       write_mine, read_writers_mine, read_page_mine, find_mine,
};

static void turns_until(struct http_client *c, const size_t *figure, size_t least)
{
    time_t end = seconds() + DEADLINE_S;
    while (*figure < least) {
        client_turn(c);
        assert_true(seconds() < end);
    }
}

static void test_own_database(void **state)
{
    (void)state;
    struct http_world w = {.base = event_base_new(), .port = free_port()};
    struct herd_diagnostic diagnostic = {0};
    struct http_client c, other;
    char path[] = "/tmp/herd-dsn-XXXXXX", json[700];
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, "somewhere\n", 10) == 10 && fchmod(fd, 0600) == 0);
    close(fd);
    snprintf(json, sizeof json,
             "{\"servers\":{\"a\":{\"port\":%u,\"http_port\":%u}},\"links\":[],\"places\":{\"provider\":"
             "\"embedded\"},\"database\":{\"kind\":\"mine\",\"dsn_file\":\"%s\",\"flush_ms\":10,"
             "\"read_through\":true}}",
             (unsigned)free_port(), (unsigned)w.port, path);
    assert_int_equal(herd_config_parse(&w.config, herd_span_of(json), &diagnostic), 0);
    struct herd_server_options options = {.name = "a", .config = w.config, .database = &mine};
    if (herd_server_new(&w.server, w.base, &options, &diagnostic) < 0)
        fail_msg("%s", diagnostic.message);
    client_open(&c, &w);
    client_say(&c, "PUT /v1/clients/ann HTTP/1.1\r\n" HOST "Content-Type: application/json\r\nContent-Length: 39"
                   "\r\n\r\n{\"lat\":1.5,\"lon\":2.5,\"time\":1700000000}");
    client_expect(&c, "200 OK");
    turns_until(&c, &one.rows, 1);
    /* Two ask for the same, and one goes. */
    one.answers = false;
    client_open(&other, &w);
    client_say(&other, GET("/v1/clients/kiwi"));
    turns_until(&other, &one.finds, 1);
    client_say(&c, GET("/v1/clients/kiwi"));
    client_close(&other);
    for (int turn = 0; turn < 20; turn++)
        client_turn(&c);
    one.answers = true;
    event_active(one.event, EV_TIMEOUT, 0);
    turns_until(&c, &one.done, 1);
    /* Or it came too late for that one, on a slow machine. */
    client_expect(&c, "HTTP/1.1 ");
    for (int i = 0; i < 1000 && !strstr(client_text(&c), "\"kiwi\""); i++) {
        client_say(&c, GET("/v1/clients/kiwi"));
        client_expect(&c, "HTTP/1.1 ");
        client_turn(&c);
    }
    client_expect(&c, "\"kiwi\"");
    struct herd_record record;
    assert_int_equal(herd_server_find(w.server, herd_span_of("kiwi"), &record), HERD_E_NOTFOUND);
    client_close(&c);
    http_world_close(&w);
    unlink(path);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_own_database)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
