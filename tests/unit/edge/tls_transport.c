/* SPDX-License-Identifier: MIT */
/* TLS on top of a transport of the test's own, whose calls fail in turn, as do additions to buffers; who is above closes it in
 * the middle of each event. */
#include "tls_transport.h"
#include "tls_pool.h"

#include "../failing_additions.h"
#include "tls_impl.h"
#include "tls_pair.h"
#include <poll.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

static struct tls_files files;
static struct herd_tls_context *north, *client;

enum call { NONE, SEND, SET_READ, PEEK, CONSUME, ADD };
static struct {
    enum call call;
    long left; /* calls before the one that fails */
    bool failed;
} plan;

static bool fails(enum call call)
{
    bool now = plan.call == call && plan.left-- == 0;
    plan.failed |= now;
    return now;
}

static bool adds; /* additions of the library's are under way, not the test's */
static bool addition_fails_now(void)
{
    return adds && fails(ADD);
}

/* ---- below ---- */

struct below {
    struct herd_transport base;
    struct herd_buf arrived, sent;
    size_t unsent;
    bool reads, shut, closed, freed;
};

static struct below *below_of(struct herd_transport *transport)
{
    return (struct below *)transport;
}

static int below_send(struct herd_transport *transport, struct herd_span bytes)
{
    struct below *below = below_of(transport);
    assert_false(below->shut || below->closed);
    if (fails(SEND))
        return HERD_E_IO;
    return __real_herd_buf_add(&below->sent, bytes.at, bytes.len);
}

static int below_set_read(struct herd_transport *transport, bool enable)
{
    if (fails(SET_READ))
        return HERD_E_NOMEM;
    below_of(transport)->reads = enable;
    return 0;
}

static int below_peek(struct herd_transport *transport, struct herd_span *ret_bytes)
{
    const struct below *below = below_of(transport);
    if (fails(PEEK))
        return HERD_E_NOMEM;
    *ret_bytes = (struct herd_span){below->arrived.len ? below->arrived.at : "", below->arrived.len};
    return 0;
}

static int below_consume(struct herd_transport *transport, size_t len)
{
    struct below *below = below_of(transport);
    if (fails(CONSUME))
        return HERD_E_NOMEM;
    assert_true(len <= below->arrived.len);
    memmove(below->arrived.at, below->arrived.at + len, below->arrived.len - len);
    below->arrived.len -= len;
    return 0;
}

static size_t below_unsent(const struct herd_transport *transport)
{
    return ((const struct below *)transport)->unsent;
}

static void below_shutdown(struct herd_transport *transport)
{
    assert_false(below_of(transport)->shut);
    below_of(transport)->shut = true;
}

static void below_close(struct herd_transport *transport)
{
    assert_false(below_of(transport)->closed);
    below_of(transport)->closed = true;
}

static void below_free(struct herd_transport *transport)
{
    below_of(transport)->freed = true;
}

static int below_fd(const struct herd_transport *transport)
{
    (void)transport;
    return 77;
}

static const struct herd_transport_ops below_ops = {
    .send = below_send,
    .set_read = below_set_read,
    .peek = below_peek,
    .consume = below_consume,
    .unsent = below_unsent,
    .unacked = below_unsent,
    .shutdown = below_shutdown,
    .close = below_close,
    .free = below_free,
    .fd = below_fd,
};

/* ---- above ---- */

struct world {
    struct below below;
    struct herd_tls_loop loop;
    struct herd_transport *transport;
    struct tls_end peer;
    struct herd_buf got;
    bool opened, eof, failed, closed, refuses, truncated;
    char why[64];
    const char *closes_at; /* the event in which it closes */
    size_t takes;          /* how many bytes it consumes of an input at most */
    unsigned woken, drained;
};

static void close_now(struct world *w)
{
    assert_false(w->closed);
    w->closed = true;
    herd_transport_close(w->transport);
}

static void at(struct world *w, const char *event)
{
    assert_false(w->closed || w->failed);
    if (w->closes_at && strcmp(w->closes_at, event) == 0)
        close_now(w);
}

static void on_input(void *ctx)
{
    struct world *w = ctx;
    struct herd_span bytes;
    assert_true(w->opened && !w->eof);
    at(w, "input");
    if (w->closed)
        return;
    if (herd_transport_peek(w->transport, &bytes) < 0) {
        close_now(w);
        return;
    }
    size_t len = bytes.len < w->takes ? bytes.len : w->takes;
    assert_int_equal(__real_herd_buf_add(&w->got, bytes.at, len), 0);
    assert_int_equal(herd_transport_consume(w->transport, len), 0);
}

static void on_eof(void *ctx)
{
    struct world *w = ctx;
    assert_false(w->eof);
    at(w, "eof");
    w->eof = true;
    w->truncated = herd_tls_transport_truncated(w->transport);
}

static void on_drained(void *ctx)
{
    struct world *w = ctx;
    at(w, "drained");
    w->drained++;
}

static void on_failed(void *ctx, const char *why)
{
    struct world *w = ctx;
    at(w, "failed");
    w->failed = true;
    snprintf(w->why, sizeof w->why, "%s", why);
    assert_true(*why);
}

static bool on_opened(void *ctx, struct herd_tls_stream *stream)
{
    struct world *w = ctx;
    assert_false(w->opened);
    assert_true(herd_tls_stream_state(stream) == HERD_TLS_OPEN);
    at(w, "opened");
    w->opened = true;
    if (w->refuses)
        close_now(w);
    return !w->refuses;
}

static void on_wake(void *ctx)
{
    ((struct world *)ctx)->woken++;
}

static const struct herd_transport_events events = {
    .input = on_input, .eof = on_eof, .drained = on_drained, .failed = on_failed};

/* ---- both ---- */

static void world_open(struct world *w, const char *closes_at)
{
    struct herd_tls_stream *stream = NULL;
    *w = (struct world){
        .below = {.base = {.ops = &below_ops}, .reads = true}, .takes = SIZE_MAX, .closes_at = closes_at};
    herd_tls_loop_init(&w->loop, on_wake, w);
    assert_int_equal(herd_tls_stream_new(&stream, north, HERD_TLS_SERVER, NULL), 0);
    assert_int_equal(herd_tls_transport_new(&w->transport, &w->below.base, stream, &w->loop, on_opened, &events, w),
                     0);
    assert_int_equal(herd_tls_stream_new(&w->peer.stream, client, HERD_TLS_CLIENT, NULL), 0);
    assert_int_equal(herd_tls_input(w->peer.stream, (struct herd_span){"", 0}, &w->peer.plain, &w->peer.out), 0);
}

static bool usable(const struct world *w)
{
    return !w->closed && !w->failed;
}

/* Gives what one end says to the other, at most `step` bytes at a time, until nothing moves. */
static void settle(struct world *w, size_t step)
{
    while (w->peer.out.len > 0 || w->below.sent.len > 0) {
        struct herd_buf out = w->peer.out;
        w->peer.out = (struct herd_buf){0};
        for (size_t i = 0; i < out.len && usable(w) && !w->eof; i += step) {
            size_t len = out.len - i < step ? out.len - i : step;
            assert_int_equal(__real_herd_buf_add(&w->below.arrived, out.at + i, len), 0);
            adds = true;
            w->below.base.events->input(w->below.base.ctx);
            while (w->woken > 0 && usable(w)) {
                w->woken = 0;
                herd_tls_loop_iteration(&w->loop);
            }
            adds = false;
        }
        herd_buf_fini(&out);
        struct herd_buf sent = w->below.sent;
        w->below.sent = (struct herd_buf){0};
        (void)herd_tls_input(w->peer.stream, tls_span(&sent), &w->peer.plain, &w->peer.out);
        herd_buf_fini(&sent);
    }
}

static void send_above(struct world *w, const char *text)
{
    if (!usable(w))
        return;
    adds = true;
    if (herd_transport_send(w->transport, herd_span_of(text)) < 0)
        close_now(w);
    adds = false;
}

static void send_peer(struct world *w, const char *text)
{
    if (herd_tls_stream_state(w->peer.stream) == HERD_TLS_OPEN)
        assert_int_equal(herd_tls_output(w->peer.stream, herd_span_of(text), &w->peer.out), 0);
}

static void world_close(struct world *w)
{
    if (!w->closed) {
        w->closed = true;
        herd_transport_close(w->transport);
    }
    assert_true(w->below.closed && !w->below.freed);
    herd_transport_free(w->transport);
    assert_true(w->below.freed);
    herd_tls_loop_fini(&w->loop);
    herd_tls_stream_free(w->peer.stream);
    herd_buf_fini(&w->peer.plain);
    herd_buf_fini(&w->peer.out);
    herd_buf_fini(&w->below.arrived);
    herd_buf_fini(&w->below.sent);
    herd_buf_fini(&w->got);
}

/* A connection from its beginning to its end, of which half a line is kept for a while. */
static void story(struct world *w, size_t step)
{
    send_above(w, "hello\n"); /* waits for the handshake */
    if (step > 100)
        w->loop.steps = 0; /* the next iteration takes it */
    settle(w, step);
    w->takes = 4;
    send_peer(w, "a line\n");
    settle(w, step);
    w->takes = SIZE_MAX;
    send_peer(w, "and another\n");
    settle(w, step);
    send_above(w, "answer\n");
    w->below.unsent = 5;
    if (usable(w))
        assert_true(herd_transport_unsent(w->transport) >= 5 && herd_transport_unacked(w->transport) >= 5);
    if (usable(w)) {
        herd_transport_shutdown(w->transport);
        herd_transport_shutdown(w->transport);
        assert_false(w->below.shut);
    }
    settle(w, step);
    w->below.unsent = 0;
    if (usable(w))
        w->below.base.events->drained(w->below.base.ctx);
    if (herd_tls_stream_state(w->peer.stream) == HERD_TLS_EOF ||
        herd_tls_stream_state(w->peer.stream) == HERD_TLS_OPEN)
        assert_int_equal(herd_tls_close(w->peer.stream, &w->peer.out), 0);
    settle(w, step);
    if (usable(w)) {
        adds = true;
        w->below.base.events->eof(w->below.base.ctx);
        adds = false;
    }
}

static bool text_is(const struct herd_buf *buf, const char *text)
{
    return herd_span_equal(tls_span(buf), herd_span_of(text));
}

static void test_whole(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 7, 64, 100000};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct world w;
        world_open(&w, NULL);
        assert_int_equal(herd_transport_fd(w.transport), 77);
        assert_false(herd_tls_transport_busy(w.transport));
        assert_non_null(herd_tls_transport_stream(w.transport));
        story(&w, steps[i]);
        assert_true(w.opened && w.eof && !w.failed && !w.truncated && w.below.shut && w.drained == 2);
        assert_true(text_is(&w.got, "a line\nand another\n"));
        assert_true(text_is(&w.peer.plain, "hello\nanswer\n"));
        world_close(&w);
    }
    assert_false(herd_tls_transport_truncated(NULL) || herd_tls_transport_busy(NULL));
    assert_null(herd_tls_transport_stream(NULL));
    struct below below = {.base = {.ops = &below_ops}};
    assert_false(herd_tls_transport_truncated(&below.base) || herd_tls_transport_busy(&below.base));
    assert_null(herd_tls_transport_stream(&below.base));
}

/* Each call below fails in turn, and each addition: who is above is told once, or finds out by its own call. */
static void test_calls(void **state)
{
    (void)state;
    static const size_t steps[] = {40, 100000};
    for (enum call call = SEND; call <= ADD; call++) {
        for (size_t i = 0; i < 2; i++) {
            long n = 0;
            for (bool more = true; more; n++) {
                struct world w;
                world_open(&w, NULL);
                plan.call = call;
                plan.left = n;
                plan.failed = false;
                story(&w, steps[i]);
                plan.call = NONE;
                more = plan.failed;
                if (!more)
                    assert_true(w.eof && text_is(&w.got, "a line\nand another\n"));
                else if (!w.failed &&
                         !w.closed) /* it was of no use any more: the last alert, reading behind the end */
                    assert_true(text_is(&w.got, "a line\nand another\n"));
                world_close(&w);
            }
            assert_true(n > 1);
        }
    }
}

/* It is closed in each event, and nothing is told of it any more. */
static void test_closed(void **state)
{
    (void)state;
    static const char *const names[] = {"opened", "input", "drained", "eof"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (int refuses = 0; refuses < 2; refuses++) {
            struct world w;
            world_open(&w, names[i]);
            w.refuses = refuses && i > 0;
            story(&w, 100000);
            assert_true(w.closed && !w.failed);
            world_close(&w);
        }
    }
}

/* The lower one ends, or fails, in the middle: of the handshake; behind a line and a half. */
static void test_cut(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, NULL);
    assert_int_equal(__real_herd_buf_add(&w.below.arrived, w.peer.out.at, w.peer.out.len / 2), 0);
    w.below.base.events->eof(w.below.base.ctx);
    assert_true(w.failed && !w.eof);
    assert_string_equal(w.why, "tls_handshake_cut_off");
    w.below.base.events->input(w.below.base.ctx); /* told once */
    w.below.base.events->failed(w.below.base.ctx, "again");
    assert_string_equal(w.why, "tls_handshake_cut_off");
    world_close(&w);

    world_open(&w, NULL);
    settle(&w, 100000);
    w.takes = 3;
    send_peer(&w, "one line\nand ha");
    settle(&w, 100000);
    w.below.base.events->eof(w.below.base.ctx);
    assert_true(w.eof && w.truncated && !w.failed);
    struct herd_span rest;
    assert_int_equal(herd_transport_peek(w.transport, &rest), 0);
    assert_true(herd_span_equal(rest, herd_span_of(" line\n")));
    world_close(&w);

    world_open(&w, NULL);
    settle(&w, 100000);
    w.below.base.events->failed(w.below.base.ctx, "connection reset");
    assert_string_equal(w.why, "connection reset");
    world_close(&w);

    /* Behind the end of what is received sending may fail: told once. */
    for (int truncated = 0; truncated < 2; truncated++) {
        world_open(&w, NULL);
        settle(&w, 100000);
        if (!truncated)
            assert_int_equal(herd_tls_close(w.peer.stream, &w.peer.out), 0);
        settle(&w, 100000);
        if (truncated)
            w.below.base.events->eof(w.below.base.ctx);
        assert_true(w.eof && !w.failed);
        w.below.base.events->failed(w.below.base.ctx, "broken pipe");
        assert_string_equal(w.why, "broken pipe");
        w.below.base.events->failed(w.below.base.ctx, "again");
        world_close(&w);
    }

    /* Nonsense in the middle: an alert leaves, and what failed says which. */
    world_open(&w, NULL);
    settle(&w, 100000);
    assert_int_equal(herd_buf_add(&w.peer.out, "\x17\x03\x03\x00\x05nonsense", 13), 0);
    settle(&w, 100000);
    assert_string_equal(w.why, "tls_failed");
    world_close(&w);

    /* The lower one ends while the step waits for the loop, which then says so. */
    world_open(&w, NULL);
    w.loop.steps = 0;
    assert_int_equal(__real_herd_buf_add(&w.below.arrived, w.peer.out.at, w.peer.out.len), 0);
    w.peer.out.len = 0;
    herd_tls_transport_start(w.transport);
    assert_true(w.woken == 1 && herd_tls_transport_busy(w.transport) && !herd_tls_transport_stream(w.transport));
    w.below.base.events->input(w.below.base.ctx); /* no more is read meanwhile */
    assert_false(w.below.reads);
    assert_int_equal(herd_transport_set_read(w.transport, true), 0);
    w.below.base.events->eof(w.below.base.ctx);
    assert_false(w.failed);
    herd_tls_loop_iteration(&w.loop);
    assert_string_equal(w.why, "tls_handshake_cut_off");
    world_close(&w);

    /* Closed while it waits: nothing is computed any more. */
    world_open(&w, NULL);
    w.loop.steps = 0;
    assert_int_equal(__real_herd_buf_add(&w.below.arrived, w.peer.out.at, w.peer.out.len), 0);
    herd_tls_transport_start(w.transport);
    close_now(&w);
    herd_tls_loop_iteration(&w.loop);
    assert_int_equal(w.below.sent.len, 0);
    world_close(&w);
}

/* ---- threads ---- */

/* Gives the server some of what the client says. */
static void give(struct world *w, size_t len)
{
    assert_true(len <= w->peer.out.len);
    assert_int_equal(herd_buf_add(&w->below.arrived, w->peer.out.at, len), 0);
    memmove(w->peer.out.at, w->peer.out.at + len, w->peer.out.len - len);
    w->peer.out.len -= len;
    w->loop.steps = 1;
    w->below.base.events->input(w->below.base.ctx);
}

/* Waits for what a thread computes, and gives the client what came of it. */
static void take(struct world *w)
{
    struct pollfd fd = {.fd = herd_tls_pool_fd(w->loop.pool), .events = POLLIN};
    while (herd_tls_transport_busy(w->transport)) {
        assert_int_equal(poll(&fd, 1, 30000), 1);
        herd_tls_loop_computed(&w->loop);
    }
    struct herd_buf sent = w->below.sent;
    w->below.sent = (struct herd_buf){0};
    assert_true(herd_tls_input(w->peer.stream, tls_span(&sent), &w->peer.plain, &w->peer.out) >= 0);
    herd_buf_fini(&sent);
}

static void until_idle(struct herd_tls_pool *pool)
{
    while (herd_tls_pool_at_work(pool))
        usleep(100);
}

/* The loop computes the last step where no thread is at work, and no other: not the rest of a hello, not a certificate. */
static void test_last_step(void **state)
{
    (void)state;
    struct herd_tls_pool *pool = herd_tls_pool_new();
    for (int shows = 0; shows < 2; shows++) {
        struct world w;
        struct herd_tls_context *nobody = client;
        client = shows ? north : nobody;
        world_open(&w, NULL);
        client = nobody;
        w.loop.pool = pool;
        give(&w, w.peer.out.len - 20);
        assert_true(herd_tls_transport_busy(w.transport));
        take(&w);
        until_idle(pool);
        give(&w, 20);
        assert_true(herd_tls_transport_busy(w.transport));
        take(&w);
        until_idle(pool);
        assert_true(herd_tls_stream_awaits_finished(herd_tls_transport_stream(w.transport)));
        assert_false(herd_tls_stream_awaits_finished(w.peer.stream));
        assert_true((w.peer.out.len <= 256) == !shows);
        give(&w, w.peer.out.len);
        assert_true(herd_tls_transport_busy(w.transport) == (shows != 0) && w.opened == !shows);
        take(&w);
        assert_true(w.opened && !w.failed);
        assert_false(herd_tls_stream_awaits_finished(herd_tls_transport_stream(w.transport)));
        world_close(&w);
        while (herd_tls_pool_at_work(pool))
            herd_tls_loop_computed(&w.loop);
    }
    herd_tls_pool_free(pool);
}

static sem_t gate;

/* OpenSSL calls it in the middle of a step. */
static void hold(const SSL *ssl, int where, int result)
{
    (void)ssl;
    (void)where;
    (void)result;
    sem_wait(&gate);
    sem_post(&gate);
}

/* A thread that is at work may have a lock: then the last step is a thread's too, and where the iteration took one already. */
static void test_last_step_beside_others(void **state)
{
    (void)state;
    struct herd_tls_context *slow =
        tls_context(&files, "North", (struct herd_tls_options){.self = herd_span_of("North")});
    struct herd_tls_pool *pool = herd_tls_pool_new();
    SSL_CTX_set_info_callback(slow->ssl_ctx, hold);
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    for (int used = 0; used < 2; used++) {
        struct world w;
        struct herd_tls_job *other = calloc(1, sizeof *other);
        world_open(&w, NULL);
        assert_int_equal(herd_buf_add(&other->in, w.peer.out.at, w.peer.out.len), 0);
        assert_int_equal(herd_tls_stream_new(&other->stream, slow, HERD_TLS_SERVER, NULL), 0);
        w.loop.pool = pool;
        give(&w, w.peer.out.len);
        take(&w);
        until_idle(pool);
        if (!used)
            assert_true(herd_tls_pool_submit(pool, other, true));
        assert_int_equal(herd_buf_add(&w.below.arrived, w.peer.out.at, w.peer.out.len), 0);
        w.loop.steps = used ? 0 : 1;
        w.below.base.events->input(w.below.base.ctx);
        assert_true(herd_tls_transport_busy(w.transport) && !w.opened);
        sem_post(&gate);
        take(&w);
        assert_true(w.opened);
        until_idle(pool);
        herd_tls_loop_computed(&w.loop); /* frees the other one, which nobody owns, if it was not yet */
        if (used)
            herd_tls_job_free(other);
        world_close(&w);
    }
    herd_tls_pool_free(pool);
    herd_tls_context_unref(slow);
    sem_destroy(&gate);
}

static int set_up(void **state)
{
    (void)state;
    tls_north_init(&files, &north, &client);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls_north_fini(&files, north, client);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),     cmocka_unit_test(test_calls),
        cmocka_unit_test(test_closed),    cmocka_unit_test(test_cut),
        cmocka_unit_test(test_last_step), cmocka_unit_test(test_last_step_beside_others),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
