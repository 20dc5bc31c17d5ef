/* SPDX-License-Identifier: MIT */
/* The connection: bytes to and from the socket, commands in their order, and its end. */
#include "command.h"
#include "redis_impl.h"
#include "script.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More than this is not copied into `out` before the socket has taken it. */
#define OUT_BYTES 1048576

static void forget_operations(struct herd_redis_operation *first)
{
    while (first) {
        struct herd_redis_operation *next = first->next;
        herd_redis_operation_free(first);
        first = next;
    }
}

/* Closes the socket and all that is of this connection; gives what was begun on it. */
static struct herd_redis_operation *take_apart(struct herd_database *database)
{
    struct herd_redis_operation *operations = database->first;
    event_del(database->later);
    event_del(database->page_due);
    herd_redis_pages_rewind(database);
    for (size_t i = 0; i < 2; i++) {
        struct event **event = i ? &database->writable : &database->readable;
        if (*event)
            event_free(*event);
        *event = NULL;
    }
    if (database->fd >= 0)
        close(database->fd);
    database->fd = -1;
    if (database->reader)
        redisReaderFree(database->reader);
    database->reader = NULL;
    /* The setup's have the password. */
    for (size_t i = 0; i < database->out.len; i++)
        ((volatile char *)database->out.at)[i] = 0;
    herd_buf_fini(&database->out);
    database->out_sent = 0;
    database->connecting = database->ready = database->paging = false;
    database->first = database->last = NULL;
    database->operation_count = 0;
    database->under_way_first = database->under_way_count = 0;
    database->connection++;
    return operations;
}

void herd_redis_conn_drop(struct herd_database *database)
{
    forget_operations(take_apart(database));
}

void herd_redis_conn_fail(struct herd_database *database, enum herd_database_result result, const char *message)
{
    char text[HERD_REDIS_MESSAGE_MAX];
    herd_redis_fault_text(text, herd_span_of(message), database->dsn.password);
    bool paging = database->paging;
    struct herd_redis_operation *operations = take_apart(database);
    uint64_t connection = database->connection;
    while (operations && database->connection == connection) {
        struct herd_redis_operation *operation = operations;
        operations = operation->next;
        if (operation->kind == HERD_REDIS_SETUP) {
            herd_redis_operation_free(operation);
        } else {
            herd_redis_operation_finish(operation, HERD_DATABASE_LOST, text);
            herd_redis_tell(database, operation);
        }
    }
    forget_operations(operations);
    if (paging && database->connection == connection)
        database->events->page(database->ctx, database->page_ticket, HERD_DATABASE_LOST, text, NULL, 0, false);
    if (database->connection == connection)
        database->events->disconnected(database->ctx, result, text);
}

void herd_redis_conn_fail_later(struct herd_database *database, const char *message)
{
    size_t len = strnlen(message, sizeof database->later_message - 1);
    memcpy(database->later_message, message, len);
    database->later_message[len] = 0;
    event_active(database->later, EV_TIMEOUT, 0);
}

void herd_redis_conn_flush(struct herd_database *database)
{
    /* In the next turn, without asking the kernel whether it can be written. */
    if (database->writable && !database->connecting)
        event_active(database->writable, EV_WRITE, 0);
}

/* ---- out ---- */

static int push(struct herd_database *database, struct herd_redis_operation *operation)
{
    size_t at = (database->under_way_first + database->under_way_count++) % HERD_REDIS_SENT_MAX;
    database->under_way[at] = operation;
    return 0;
}

static int send_next(struct herd_database *database, struct herd_redis_operation *operation)
{
    struct herd_buf *out = &database->out;
    if (operation->load) {
        size_t before = out->len;
        int err = herd_redis_words(out, 3);
        err = err < 0 ? err : herd_redis_word_text(out, "SCRIPT");
        err = err < 0 ? err : herd_redis_word_text(out, "LOAD");
        err = err < 0 ? err : herd_redis_word_text(out, herd_redis_script);
        if (err < 0) {
            out->len = before;
            return err;
        }
        operation->load = false;
        operation->loading++;
        return push(database, operation);
    }
    struct herd_redis_slice command = operation->commands[operation->sent];
    int err = herd_buf_add(out, operation->bytes.at + command.from, command.len);
    if (err < 0)
        return err;
    operation->sent++;
    return push(database, operation);
}

/* Copies commands into `out` while there is room. HERD_E_NOMEM. */
static int fill(struct herd_database *database)
{
    bool writing = false;
    for (struct herd_redis_operation *operation = database->first; operation; operation = operation->next) {
        if (operation->done)
            continue;
        if (operation->kind == HERD_REDIS_WRITE) {
            if (writing)
                return 0;
            writing = true;
        }
        while (operation->load || operation->sent + operation->held < operation->count) {
            if (database->under_way_count == HERD_REDIS_SENT_MAX ||
                database->out.len - database->out_sent >= OUT_BYTES)
                return 0;
            int err = send_next(database, operation);
            if (err < 0)
                return err;
        }
        if (operation->sent < operation->count)
            return 0;
    }
    return 0;
}

static void fail_errno(struct herd_database *database)
{
    herd_redis_conn_fail(database, HERD_DATABASE_LOST, strerror(errno));
}

static void write_out(struct herd_database *database)
{
    struct herd_buf *out = &database->out;
    if (fill(database) < 0) {
        herd_redis_conn_fail(database, HERD_DATABASE_RETRY, herd_strerror(HERD_E_NOMEM));
        return;
    }
    if (database->out_sent == out->len)
        return;
    ssize_t n = send(database->fd, out->at + database->out_sent, out->len - database->out_sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        fail_errno(database);
        return;
    }
    database->out_sent += n > 0 ? (size_t)n : 0;
    if (database->out_sent < out->len) {
        if (event_add(database->writable, NULL) < 0)
            herd_redis_conn_fail(database, HERD_DATABASE_RETRY, herd_strerror(HERD_E_NOMEM));
        return;
    }
    out->len = database->out_sent = 0;
    /* What did not fit before. */
    if (fill(database) < 0 || out->len)
        herd_redis_conn_flush(database);
}

/* ---- in ---- */

/* Tells what is done, in order. False: the connection is another one, or gone. */
static bool tell_done(struct herd_database *database)
{
    while (database->first && database->first->done) {
        struct herd_redis_operation *operation = database->first;
        char message[HERD_REDIS_MESSAGE_MAX];
        memcpy(message, operation->message, sizeof message);
        enum herd_database_result result = operation->result;
        if (operation->kind == HERD_REDIS_SETUP && result != HERD_DATABASE_DONE) {
            herd_redis_conn_fail(database, result, message);
            return false;
        }
        database->first = operation->next;
        if (!database->first)
            database->last = NULL;
        database->operation_count--;
        database->ready = true;
        uint64_t connection = database->connection;
        herd_redis_tell(database, operation);
        if (database->connection != connection)
            return false;
        if (result == HERD_DATABASE_LOST) {
            herd_redis_conn_fail(database, result, message);
            return false;
        }
    }
    return true;
}

/* One whole reply. False: the connection is another one, or gone. */
static bool take_reply(struct herd_database *database, redisReply *reply)
{
    if (database->under_way_count == 0) {
        char text[HERD_REDIS_MESSAGE_MAX] = "it says what nobody asked for";
        if (reply->type == REDIS_REPLY_ERROR)
            herd_redis_fault_text(text, (struct herd_span){reply->str, (size_t)reply->len}, database->dsn.password);
        freeReplyObject(reply);
        herd_redis_conn_fail(database, HERD_DATABASE_LOST, text);
        return false;
    }
    struct herd_redis_operation *operation = database->under_way[database->under_way_first];
    database->under_way_first = (database->under_way_first + 1) % HERD_REDIS_SENT_MAX;
    database->under_way_count--;
    if (herd_redis_answer(database, operation, reply) < 0) {
        herd_redis_conn_fail(database, HERD_DATABASE_RETRY, herd_strerror(HERD_E_NOMEM));
        return false;
    }
    return tell_done(database);
}

static void read_in(struct herd_database *database)
{
    ssize_t n = recv(database->fd, database->input, HERD_REDIS_INPUT_BYTES, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        if (n < 0)
            fail_errno(database);
        else
            herd_redis_conn_fail(database, HERD_DATABASE_LOST, "it closed the connection");
        return;
    }
    bool ok = redisReaderFeed(database->reader, database->input, (size_t)n) == REDIS_OK;
    void *reply = NULL;
    database->reply_bytes += (size_t)n;
    while (ok && (ok = redisReaderGetReply(database->reader, &reply) == REDIS_OK) && reply) {
        database->reply_elements = 0;
        database->reply_bytes = database->reader->len - database->reader->pos;
        if (!take_reply(database, reply))
            return;
    }
    if (!ok)
        herd_redis_conn_fail(database, HERD_DATABASE_LOST,
                             database->reader->err == REDIS_ERR_OOM ? herd_strerror(HERD_E_NOMEM)
                                                                    : "it does not speak the protocol of Redis");
    else if (database->reply_bytes > HERD_REDIS_REPLY_MAX_BYTES)
        herd_redis_conn_fail(database, HERD_DATABASE_LOST, "its answer is too long");
    else
        herd_redis_conn_flush(database);
}

/* ---- the beginning ---- */

static void on_event(evutil_socket_t fd, short what, void *arg);

static void begin(struct herd_database *database)
{
    struct herd_redis_operation *setup;
    database->connecting = false;
    if (event_add(database->readable, NULL) < 0 || herd_redis_encode_setup(database, &setup) < 0) {
        herd_redis_conn_fail(database, HERD_DATABASE_RETRY, herd_strerror(HERD_E_NOMEM));
        return;
    }
    herd_redis_operation_add(database, setup);
    herd_redis_conn_flush(database);
}

/* Of an attempt nothing is left but its addresses. */
static void end_attempt(struct herd_database *database)
{
    if (database->readable)
        event_free(database->readable);
    if (database->writable)
        event_free(database->writable);
    database->readable = database->writable = NULL;
    if (database->fd >= 0)
        close(database->fd);
    database->fd = -1;
    database->connecting = false;
}

/* 0, or errno. */
static int connect_to(struct herd_database *database, size_t i)
{
    const struct sockaddr *address = (const struct sockaddr *)&database->addresses[i];
    int one = 1;
    database->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (database->fd < 0)
        return errno;
    if (address->sa_family != AF_UNIX) {
        setsockopt(database->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(database->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    }
    if (connect(database->fd, address, database->address_lens[i]) < 0 && errno != EINPROGRESS)
        return errno;
    database->readable = event_new(database->base, database->fd, EV_READ | EV_PERSIST, on_event, database);
    database->writable = event_new(database->base, database->fd, EV_WRITE, on_event, database);
    if (!database->readable || !database->writable || event_add(database->writable, NULL) < 0)
        return ENOMEM;
    database->connecting = true;
    return 0;
}

/* To the next address that can be tried, with `error` of the one before. */
static void connect_next(struct herd_database *database, int error)
{
    while (database->address_at < database->address_count) {
        end_attempt(database);
        error = connect_to(database, (database->attempt + database->address_at++) % database->address_count);
        if (error == 0)
            return;
    }
    end_attempt(database);
    database->attempt++;
    char text[HERD_REDIS_MESSAGE_MAX];
    snprintf(text, sizeof text, "cannot connect: %s", strerror(error));
    herd_redis_conn_fail_later(database, text);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct herd_database *database = arg;
    if (database->connecting) {
        int error = 0;
        socklen_t len = sizeof error;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
            error = errno;
        if (error)
            connect_next(database, error);
        else
            begin(database);
    } else if (what & EV_READ) {
        read_in(database);
    } else {
        write_out(database);
    }
}

void herd_redis_conn_start(struct herd_database *database)
{
    database->address_at = 0;
    if (!herd_redis_reader_open(database))
        herd_redis_conn_fail_later(database, herd_strerror(HERD_E_NOMEM));
    else
        connect_next(database, 0);
}
