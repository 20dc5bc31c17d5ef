/* SPDX-License-Identifier: MIT */
/*
 * An HTTP server for tests, on an ephemeral loopback port and the test's own loop: it notes every
 * request and does to it what the test says, well-behaved or not.
 */
#ifndef TEST_EDGE_STUB_H
#define TEST_EDGE_STUB_H

#include <event2/event.h>
#include <herd/types.h>

enum stub_act {
    STUB_REPLY,   /* status, headers, body */
    STUB_HOLD,    /* until stub_release */
    STUB_RESET,   /* the connection */
    STUB_LEAVE,   /* a whole reply that promises to stay, then close */
    STUB_SHORT,   /* fewer bytes than announced, then close */
    STUB_ENDLESS, /* a body without end */
    STUB_HEADERS, /* headers without end */
    STUB_ECHO,    /* an answer in shape that holds the whole request, escaped */
};

struct stub_plan {
    enum stub_act act;
    int status;          /* 0: 200 */
    const char *headers; /* each ended by CR LF; NULL: none */
    struct herd_span body;
};

struct stub;
/* Decides about request number `index` (from 0). */
typedef struct stub_plan stub_decide(void *ctx, size_t index, struct herd_span request);

struct stub *stub_new(struct event_base *base, stub_decide *decide, void *ctx, void *ssl_ctx);
void stub_free(struct stub *stub);
/* "http://127.0.0.1:PORT/path"; static until the next call. https with an ssl_ctx. */
const char *stub_url(const struct stub *stub, const char *path);
unsigned stub_port(const struct stub *stub);
/* Answers everything held with this. */
void stub_release(struct stub *stub, const struct stub_plan *plan);

size_t stub_requests(const struct stub *stub);    /* in all */
size_t stub_connections(const struct stub *stub); /* accepted in all */
size_t stub_held(const struct stub *stub);        /* now */
size_t stub_held_max(const struct stub *stub);
struct herd_span stub_request(const struct stub *stub, size_t index);

/* Told when the stub's own code begins and ends to run; NULL: nobody is. */
extern void (*stub_pause)(bool in_stub);

/* Runs the loop until *flag is not less than `want`; fails after ten seconds. */
void run_until_(struct event_base *base, const size_t *count, size_t want, const char *what);
#define run_until(base, count, want) run_until_(base, count, want, #count " >= " #want)

#endif
