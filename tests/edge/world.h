/* SPDX-License-Identifier: MIT */
/* What a test of places needs around it: a loop, a log in memory, a configuration made by hand, answers noted. */
#ifndef TEST_EDGE_WORLD_H
#define TEST_EDGE_WORLD_H

#include "../unit/cm.h"
#include "stub.h"

#include "query.h"

#include <herd/places.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANARY      "AIzaCANARY-0123456789_canary"
#define ANSWERS_MAX 256

struct world {
    struct event_base *base;
    struct stub *stub;
    struct stub_plan plans[16]; /* for the first requests; the last one is for all that follow */
    size_t plan_count;
    struct herd_buf log_text;
    struct herd_log *log;
    struct herd_config config;
    struct herd_config_provider providers[4];
    struct herd_diagnostic fault;
    struct herd_places *places;
    struct herd_buf answers[ANSWERS_MAX];
    char origins[ANSWERS_MAX][32];
    size_t answered;
};

static inline struct stub_plan world_decide(void *ctx, size_t index, struct herd_span request)
{
    (void)request;
    struct world *w = ctx;
    return w->plans[index < w->plan_count ? index : w->plan_count - 1];
}

static inline int world_sink(void *ctx, const char *bytes, size_t len)
{
    return herd_buf_add(ctx, bytes, len);
}

static inline struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->base = event_base_new();
    assert_non_null(w->base);
    w->stub = stub_new(w->base, world_decide, w, NULL);
    w->plan_count = 1;
    assert_int_equal(
        herd_log_new(&w->log,
                     &(struct herd_log_options){.traffic = true, .sink = world_sink, .sink_ctx = &w->log_text}),
        0);
    herd_limits_default(&w->config.limits);
    w->config.providers = w->providers;
    setenv("HERD_TEST_KEY", CANARY, 1);
    return w;
}

/* Adds a provider to the chain; strings stay the caller's. */
static inline struct herd_config_provider *world_provider(struct world *w, const char *kind, const char *url)
{
    struct herd_config_provider *p = &w->providers[w->config.provider_count++];
    *p = (struct herd_config_provider){.kind = (char *)(uintptr_t)kind, .timeout_ms = 5000};
    if (url)
        assert_non_null(p->url = strdup(url));
    if (strncmp(kind, "google", 6) == 0)
        p->key_env = (char *)(uintptr_t) "HERD_TEST_KEY";
    return p;
}

static inline void world_open(struct world *w)
{
    if (herd_places_new(&w->places, w->base, &w->config, w->log, &w->fault) < 0)
        fail_msg("%s", w->fault.message);
}

static inline void world_free(struct world *w)
{
    herd_places_free(w->places);
    stub_free(w->stub);
    event_base_loop(w->base, EVLOOP_NONBLOCK);
    herd_log_free(w->log);
    herd_buf_fini(&w->log_text);
    for (size_t i = 0; i < ANSWERS_MAX; i++)
        herd_buf_fini(&w->answers[i]);
    for (size_t i = 0; i < w->config.provider_count; i++)
        free(w->providers[i].url);
    event_base_free(w->base);
    free(w);
}

static inline void world_answer(void *ctx, struct herd_span json, const char *origin)
{
    struct world *w = ctx;
    assert_true(json.len > 0 && w->answered < ANSWERS_MAX);
    herd_buf_add(&w->answers[w->answered], json.at, json.len);
    herd_buf_add(&w->answers[w->answered], "", 1);
    snprintf(w->origins[w->answered], sizeof w->origins[0], "%s", origin);
    w->answered++;
}

static inline struct herd_places_request *world_ask(struct world *w, const char *place, unsigned bound)
{
    struct herd_places_question q = {0};
    struct herd_places_request *request;
    assert_int_equal(herd_places_query_make_iso(&q, herd_span_of(place), herd_span_of("10"), bound), 0);
    assert_int_equal(herd_places_lookup(w->places, &q.query, world_answer, w, &request), 0);
    herd_places_query_fini(&q);
    return request;
}

static inline struct stub_plan reply_with(const char *body)
{
    return (struct stub_plan){.body = herd_span_of(body)};
}

/* Is this sentence in the log by now? */
static inline bool world_logged(struct world *w, const char *text)
{
    herd_log_flush(w->log);
    return w->log_text.len > 0 && memmem(w->log_text.at, w->log_text.len, text, strlen(text));
}

#define UCLA "+34.068930-118.445127"
#define TWO  "{\n\n \"results\" : [ {\"name\":\"a\"}, {\"name\":\"b\"} ],\n \"status\" : \"OK\"\n}\n\n"

#endif
