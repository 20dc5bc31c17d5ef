/* SPDX-License-Identifier: MIT */
/*
 * TLS between a transport below and a connection above.
 *
 * A connection that is idle keeps no buffer: what arrives is decrypted into the loop's, and only what was not consumed
 * then is kept. The upper one's wish to read is passed down, so back-pressure works as without TLS.
 */
#include "tls_transport.h"

#include "tls_pool.h"

#include <stdlib.h>
#include <string.h>

/* Handshake steps an iteration of the loop takes itself: each may cost a millisecond, which everybody else waits. */
#define STEPS_AN_ITERATION 1
/* The end of what a client says takes a tenth of the beginning, unless it shows a certificate, which is longer than this. */
#define LAST_STEP_BYTES 256
/* Of those that threads computed, an iteration goes on with so many: each costs a system call. */
#define COMPUTED_AN_ITERATION 16

struct tls_transport {
    struct herd_transport base;
    struct herd_list waiting; /* in the loop's list */
    struct herd_transport *lower;
    struct herd_tls_stream *stream; /* NULL: closed, and given up to the pool */
    struct herd_tls_job *job;       /* the next step of the handshake; NULL: there is none */
    struct herd_tls_loop *loop;
    herd_tls_opened *opened;
    struct herd_buf rest;    /* decrypted, not consumed */
    struct herd_span fresh;  /* decrypted just now, in the loop's buffer; behind `rest` */
    struct herd_buf pending; /* to be sent when the handshake is over */
    bool open;               /* the handshake is over */
    bool busy;        /* the job has bytes and is not done: nothing is read, the stream is not to be touched */
    bool pooled;      /* and it is the pool's */
    bool lower_ended; /* meanwhile the lower one did */
    bool shutting;    /* close_notify was sent, or is to be: then the lower one is shut down */
    bool shut;
    bool truncated;
    bool reads;  /* as the upper one wants it */
    bool ended;  /* events.eof or events.failed was called */
    bool failed; /* events.failed was */
    bool closed;
};

void herd_tls_loop_init(struct herd_tls_loop *loop, void (*wake)(void *ctx), void *ctx)
{
    *loop = (struct herd_tls_loop){.steps = STEPS_AN_ITERATION, .wake = wake, .ctx = ctx};
    herd_list_init(&loop->waiting);
}

void herd_tls_loop_fini(struct herd_tls_loop *loop)
{
    herd_buf_fini(&loop->plain);
    herd_buf_fini(&loop->wire);
}

static struct tls_transport *of(struct herd_transport *transport)
{
    return (struct tls_transport *)transport;
}

static const struct tls_transport *of_const(const struct herd_transport *transport)
{
    return (const struct tls_transport *)transport;
}

/* Behind the end of what is received too, where sending fails: who drains would wait for it, and the lower one's event fire, on
 * and on. */
static void fail(struct tls_transport *t, const char *why)
{
    if (t->failed || t->closed)
        return;
    t->ended = t->failed = true;
    t->base.events->failed(t->base.ctx, why);
}

/* ---- down ---- */

/* Sends what was collected in loop->wire. */
static int send_wire(struct tls_transport *t)
{
    struct herd_buf *wire = &t->loop->wire;
    struct herd_span bytes = {wire->at, wire->len};
    wire->len = 0;
    return bytes.len > 0 ? herd_transport_send(t->lower, bytes) : 0;
}

static int send_plain(struct tls_transport *t, struct herd_span bytes)
{
    t->loop->wire.len = 0;
    int err = herd_tls_output(t->stream, bytes, &t->loop->wire);
    return err < 0 ? err : send_wire(t);
}

static int tls_send(struct herd_transport *transport, struct herd_span bytes)
{
    struct tls_transport *t = of(transport);
    assert(!t->shutting);
    return t->open ? send_plain(t, bytes) : herd_buf_add(&t->pending, bytes.at, bytes.len);
}

static int tls_set_read(struct herd_transport *transport, bool enable)
{
    struct tls_transport *t = of(transport);
    t->reads = enable;
    return t->busy ? 0 : herd_transport_set_read(t->lower, enable);
}

static size_t tls_unsent(const struct herd_transport *transport)
{
    const struct tls_transport *t = of_const(transport);
    return t->pending.len + herd_transport_unsent(t->lower);
}

static size_t tls_unacked(const struct herd_transport *transport)
{
    const struct tls_transport *t = of_const(transport);
    return t->pending.len + herd_transport_unacked(t->lower);
}

/* close_notify, and when it has left the end of the lower one's stream. */
static void finish(struct tls_transport *t)
{
    if (!t->shutting || t->shut || herd_transport_unsent(t->lower) > 0)
        return;
    t->shut = true;
    herd_transport_shutdown(t->lower);
}

static void tls_shutdown(struct herd_transport *transport)
{
    struct tls_transport *t = of(transport);
    if (t->shutting)
        return;
    t->shutting = true;
    t->loop->wire.len = 0;
    if (t->open && herd_tls_close(t->stream, &t->loop->wire) >= 0)
        send_wire(t); /* who gets no close_notify takes the end for an accident */
    finish(t);
}

/* What a thread is at work on stays where it is until that is done; nobody waits for it. */
static void give_up(struct tls_transport *t)
{
    herd_list_remove(&t->waiting);
    if (t->pooled && !herd_tls_pool_cancel(t->loop->pool, t->job)) {
        t->job->owner = NULL;
        t->job = NULL;
        t->stream = NULL;
    }
    t->busy = t->pooled = false;
}

static void tls_close(struct herd_transport *transport)
{
    struct tls_transport *t = of(transport);
    t->closed = true;
    give_up(t);
    if (t->open && !t->shutting) { /* the peer is to know that this end is one, if the kernel takes it */
        t->loop->wire.len = 0;
        if (herd_tls_close(t->stream, &t->loop->wire) >= 0)
            send_wire(t);
    }
    herd_transport_close(t->lower);
}

/* The handshake needs no more steps. */
static void drop_job(struct tls_transport *t)
{
    if (!t->job)
        return;
    t->job->stream = NULL; /* ours */
    herd_tls_job_free(t->job);
    t->job = NULL;
}

/* Beside threads that are at work one of them frees the stream: the loop would wait for a lock that they have. */
static void free_stream(struct tls_transport *t)
{
    struct herd_tls_pool *pool = t->loop->pool;
    struct herd_tls_job *job =
        pool && t->stream && herd_tls_stream_may_move(t->stream) && herd_tls_pool_at_work(pool)
            ? calloc(1, sizeof *job)
            : NULL;
    if (job) {
        *job = (struct herd_tls_job){.stream = t->stream, .release = true};
        if (herd_tls_pool_submit(pool, job, false)) {
            if (t->loop->pooled)
                t->loop->pooled(t->loop->ctx);
            return;
        }
    }
    free(job);
    herd_tls_stream_free(t->stream);
}

static void tls_free(struct herd_transport *transport)
{
    struct tls_transport *t = of(transport);
    herd_transport_free(t->lower);
    drop_job(t);
    free_stream(t);
    herd_buf_fini(&t->rest);
    herd_buf_fini(&t->pending);
    free(t);
}

static int tls_fd(const struct herd_transport *transport)
{
    return herd_transport_fd(of_const(transport)->lower);
}

/* ---- up ---- */

/* Puts what is fresh behind what is kept, for the loop's buffer is another connection's next. */
static int keep_fresh(struct tls_transport *t)
{
    struct herd_span fresh = t->fresh;
    t->fresh = (struct herd_span){NULL, 0};
    return fresh.len > 0 ? herd_buf_add(&t->rest, fresh.at, fresh.len) : 0;
}

static int tls_peek(struct herd_transport *transport, struct herd_span *ret_bytes)
{
    struct tls_transport *t = of(transport);
    if (t->rest.len > 0 && keep_fresh(t) < 0)
        return HERD_E_NOMEM;
    *ret_bytes = t->rest.len > 0 ? (struct herd_span){t->rest.at, t->rest.len} : t->fresh;
    if (!ret_bytes->at)
        ret_bytes->at = "";
    return 0;
}

static int tls_consume(struct herd_transport *transport, size_t len)
{
    struct tls_transport *t = of(transport);
    if (t->rest.len == 0) {
        assert(len <= t->fresh.len);
        if (len > 0)
            t->fresh = (struct herd_span){t->fresh.at + len, t->fresh.len - len};
        return 0;
    }
    assert(len <= t->rest.len);
    t->rest.len -= len;
    if (t->rest.len > 0)
        memmove(t->rest.at, t->rest.at + len, t->rest.len);
    else
        herd_buf_fini(&t->rest); /* an idle connection keeps none */
    return 0;
}

static const struct herd_transport_ops tls_ops = {
    .send = tls_send,
    .set_read = tls_set_read,
    .peek = tls_peek,
    .consume = tls_consume,
    .unsent = tls_unsent,
    .unacked = tls_unacked,
    .shutdown = tls_shutdown,
    .close = tls_close,
    .free = tls_free,
    .fd = tls_fd,
    .joins = true,
};

/* The handshake is over: what waited for it leaves. False: the connection is closed, or of no more use. */
static bool open_now(struct tls_transport *t)
{
    t->open = true;
    if (t->opened && !t->opened(t->base.ctx, t->stream))
        return false;
    if (t->closed)
        return false;
    if (t->pending.len == 0)
        return true;
    struct herd_buf pending = t->pending;
    t->pending = (struct herd_buf){0};
    int err = send_plain(t, (struct herd_span){pending.at, pending.len});
    herd_buf_fini(&pending);
    if (err < 0)
        fail(t, herd_strerror(err));
    else
        t->base.events->drained(t->base.ctx); /* the lower one need not have kept any of it */
    return err >= 0 && !t->closed;
}

/* Decrypts bytes of the wire. The state, or HERD_E_NOMEM, HERD_E_IO: sending failed. */
static int decrypt(struct tls_transport *t, struct herd_span wire)
{
    struct herd_buf *plain = t->rest.len > 0 ? &t->rest : &t->loop->plain;
    if (plain == &t->loop->plain)
        plain->len = 0;
    t->loop->wire.len = 0;
    int state = herd_tls_input(t->stream, wire, plain, &t->loop->wire);
    if (plain == &t->loop->plain)
        t->fresh = (struct herd_span){plain->at, plain->len};
    int err = send_wire(t); /* an alert too */
    return err < 0 && state >= 0 ? err : state;
}

/* Hands up what is fresh, or behind `before` kept bytes, and the end if that is one. */
static void deliver(struct tls_transport *t, int state, size_t before)
{
    if (t->fresh.len > 0 || t->rest.len > before)
        t->base.events->input(t->base.ctx);
    if (t->closed)
        return;
    if (keep_fresh(t) < 0) {
        fail(t, herd_strerror(HERD_E_NOMEM));
        return;
    }
    if (state == HERD_TLS_EOF && !t->ended) {
        t->ended = true;
        t->base.events->eof(t->base.ctx);
    }
}

/* False: the stream is of no more use. */
static bool is_well(struct tls_transport *t, int state)
{
    if (state >= 0 && state != HERD_TLS_FAILED)
        return true;
    fail(t, state == HERD_TLS_FAILED ? herd_tls_stream_fault(t->stream)->event : herd_strerror(state));
    return false;
}

/* The lower one is at its end. */
static void end(struct tls_transport *t)
{
    if (!t->open) {
        fail(t, "tls_handshake_cut_off");
        return;
    }
    t->truncated = t->ended = true;
    while (t->rest.len > 0 && t->rest.at[t->rest.len - 1] != '\n')
        t->rest.len--;
    t->base.events->eof(t->base.ctx);
}

/* ---- the handshake ---- */

static void lower_input(void *ctx);

/* A step was computed, here or by a thread: sends what it says, and goes on. */
static void finish_step(struct tls_transport *t)
{
    struct herd_tls_job *job = t->job;
    struct herd_buf out = job->out, plain = job->plain;
    int state = job->state;
    t->busy = t->pooled = false;
    job->out = job->plain = (struct herd_buf){0};
    int err =
        out.len > 0 ? herd_transport_send(t->lower, (struct herd_span){out.at, out.len}) : 0; /* an alert too */
    herd_buf_fini(&out);
    if (err >= 0)
        err = herd_transport_set_read(t->lower, t->reads);
    if (is_well(t, err < 0 && state >= 0 ? err : state) && state != HERD_TLS_HANDSHAKE) {
        drop_job(t);
        if (open_now(t)) {
            t->fresh = (struct herd_span){plain.at, plain.len};
            deliver(t, state, 0);
        }
    }
    herd_buf_fini(&plain);
    if (t->closed || t->ended)
        return;
    lower_input(t); /* what came meanwhile */
    if (t->lower_ended && !t->closed && !t->ended && !t->busy)
        end(t);
}

/* Whether the loop computes the step itself although there are threads: it costs less than going to one and back, and no
 * thread has a lock of OpenSSL that the loop would wait for. */
static bool is_for_loop(const struct tls_transport *t)
{
    return t->job->in.len <= LAST_STEP_BYTES && t->loop->steps > 0 && herd_tls_stream_awaits_finished(t->stream) &&
           !herd_tls_pool_at_work(t->loop->pool);
}

/* Gives what arrived to whom computes: a thread; else this iteration of the loop, or the next. */
static void begin_step(struct tls_transport *t)
{
    struct herd_span wire;
    if (herd_transport_peek(t->lower, &wire) < 0) {
        fail(t, herd_strerror(HERD_E_NOMEM));
        return;
    }
    if (wire.len == 0)
        return;
    if (herd_buf_add(&t->job->in, wire.at, wire.len) < 0 || herd_transport_consume(t->lower, wire.len) < 0) {
        fail(t, herd_strerror(HERD_E_NOMEM));
        return;
    }
    t->busy = true;
    t->pooled = t->loop->pool && herd_tls_stream_may_move(t->stream) && !is_for_loop(t) &&
                herd_tls_pool_submit(t->loop->pool, t->job, herd_tls_stream_role(t->stream) == HERD_TLS_CLIENT);
    if (t->pooled) {
        if (t->loop->pooled)
            t->loop->pooled(t->loop->ctx);
        return;
    }
    if (t->loop->steps == 0) {
        herd_list_append(&t->loop->waiting, &t->waiting);
        t->loop->wake(t->loop->ctx);
        return;
    }
    t->loop->steps--;
    herd_tls_job_run(t->job);
    finish_step(t);
}

/* ---- events of the lower one ---- */

static void lower_input(void *ctx)
{
    struct tls_transport *t = ctx;
    struct herd_span wire;
    if (t->ended)
        return;
    if (t->busy) { /* what was read waits, and no more is */
        (void)herd_transport_set_read(t->lower, false);
        return;
    }
    if (!t->open) {
        begin_step(t);
        return;
    }
    if (herd_transport_peek(t->lower, &wire) < 0) {
        fail(t, herd_strerror(HERD_E_NOMEM));
        return;
    }
    size_t len = wire.len, before = t->rest.len;
    if (len == 0)
        return;
    int state = decrypt(t, wire);
    if (is_well(t, state))
        deliver(t, state, before);
    if (!t->closed && herd_transport_consume(t->lower, len) < 0)
        fail(t, herd_strerror(HERD_E_NOMEM));
}

static void lower_eof(void *ctx)
{
    struct tls_transport *t = ctx;
    t->lower_ended = true;
    lower_input(t);
    if (!t->closed && !t->ended && !t->busy)
        end(t);
}

static void lower_drained(void *ctx)
{
    struct tls_transport *t = ctx;
    finish(t);
    if (t->open)
        t->base.events->drained(t->base.ctx);
}

static void lower_failed(void *ctx, const char *why)
{
    fail(ctx, why);
}

static const struct herd_transport_events lower_events = {
    .input = lower_input,
    .eof = lower_eof,
    .drained = lower_drained,
    .failed = lower_failed,
};

int herd_tls_transport_new(struct herd_transport **ret_transport, struct herd_transport *lower,
                           struct herd_tls_stream *stream, struct herd_tls_loop *loop, herd_tls_opened *opened,
                           const struct herd_transport_events *events, void *ctx)
{
    struct tls_transport *t = calloc(1, sizeof *t);
    if (!t)
        return HERD_E_NOMEM;
    t->base = (struct herd_transport){.ops = &tls_ops, .events = events, .ctx = ctx};
    t->lower = lower;
    t->stream = stream;
    t->loop = loop;
    t->reads = true;
    t->opened = opened;
    t->job = calloc(1, sizeof *t->job);
    if (!t->job) {
        free(t);
        return HERD_E_NOMEM;
    }
    t->job->stream = stream;
    t->job->owner = t;
    int state = decrypt(t, (struct herd_span){"", 0}); /* a client speaks first */
    if (state < 0 || state == HERD_TLS_FAILED) {
        drop_job(t);
        free(t);
        return HERD_E_NOMEM;
    }
    herd_transport_set_events(lower, &lower_events, t);
    *ret_transport = &t->base;
    return 0;
}

void herd_tls_loop_iteration(struct herd_tls_loop *loop)
{
    loop->steps = STEPS_AN_ITERATION;
    while (loop->steps > 0 && !herd_list_empty(&loop->waiting)) {
        struct tls_transport *t = HERD_CONTAINER_OF(loop->waiting.next, struct tls_transport, waiting);
        herd_list_remove(&t->waiting);
        loop->steps--;
        herd_tls_job_run(t->job);
        finish_step(t);
    }
    if (!herd_list_empty(&loop->waiting))
        loop->wake(loop->ctx);
}

static void computed(struct herd_tls_job *job)
{
    if (job->owner)
        finish_step(job->owner);
    else
        herd_tls_job_free(job);
}

void herd_tls_loop_computed(struct herd_tls_loop *loop)
{
    for (int i = 0; i < COMPUTED_AN_ITERATION; i++) {
        struct herd_tls_job *job = herd_tls_pool_take(loop->pool);
        if (!job)
            return;
        computed(job);
    }
}

void herd_tls_loop_relieve(struct herd_tls_loop *loop)
{
    struct herd_tls_job *job = herd_tls_pool_relieve(loop->pool);
    if (!job)
        return;
    herd_tls_job_run(job);
    computed(job);
}

bool herd_tls_transport_truncated(const struct herd_transport *transport)
{
    return transport && transport->ops == &tls_ops && of_const(transport)->truncated;
}

void herd_tls_transport_start(struct herd_transport *transport)
{
    lower_input(of(transport));
}

bool herd_tls_transport_busy(const struct herd_transport *transport)
{
    return transport && transport->ops == &tls_ops && of_const(transport)->busy;
}

struct herd_tls_stream *herd_tls_transport_stream(struct herd_transport *transport)
{
    return transport && transport->ops == &tls_ops && !of(transport)->busy ? of(transport)->stream : NULL;
}
