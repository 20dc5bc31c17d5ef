/* SPDX-License-Identifier: MIT */
/* A queue of events, and one request at a time. */
#include "webhook.h"

#include "../fetch/fetch.h"
#include "area.h"
#include "fence_event.h"
#include "server_impl.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_MAX_BYTES 262144
#define WAIT_LEAST_MS   1000
#define WAIT_MOST_MS    60000
#define ASKED_MOST_MS   3600000 /* of Retry-After */
#define REPLY_MAX_BYTES 65536
#define REFUSALS_MAX    8 /* of one event alone, for what it is; then it is dropped */

struct hook_event {
    struct hook_event *next;
    size_t len;
    char json[];
};

struct herd_webhook {
    struct herd_server *server;
    struct herd_fence_sink sink;
    struct herd_fetch *fetch;
    struct herd_fetch_origin *origin;
    struct herd_fetch_call *call; /* under way, with the first `posting` events */
    struct event *timer;
    struct herd_config_webhook settings; /* copies */
    char *secret;
    size_t secret_len;
    struct hook_event *first, **last;
    size_t count, bytes, posting;
    size_t batch;      /* 1: what was refused is posted one by one */
    unsigned refusals; /* of the first one */
    uint64_t failures_in_row;
    struct herd_webhook_stats stats;
    uint64_t jitter; /* state of a generator */
};

static int fail(struct herd_diagnostic *diagnostic, int err, const char *what)
{
    diagnostic->line = diagnostic->column = 0;
    snprintf(diagnostic->message, sizeof diagnostic->message, "webhook: %.240s", what);
    return err;
}

/* ---- the queue ---- */

static void drop_first(struct herd_webhook *webhook)
{
    struct hook_event *event = webhook->first;
    webhook->first = event->next;
    if (!webhook->first)
        webhook->last = &webhook->first;
    webhook->count--;
    webhook->bytes -= event->len;
    free(event);
}

static void note_dropped(struct herd_webhook *webhook, const char *why)
{
    uint64_t n = ++webhook->stats.dropped;
    if ((n & (n - 1)) != 0)
        return;
    struct herd_log_field fields[] = {herd_log_text("why", why), herd_log_int("dropped", (int64_t)n)};
    herd_log_event(webhook->server->log, HERD_LOG_ERROR, "webhook_dropped", fields, 2);
}

static void post_soon(struct herd_webhook *webhook, int64_t wait_ms)
{
    const struct timeval wait = {(time_t)(wait_ms / 1000), (suseconds_t)(wait_ms % 1000 * 1000)};
    if (!webhook->call && webhook->count > 0 && !event_pending(webhook->timer, EV_TIMEOUT, NULL))
        (void)event_add(webhook->timer, &wait); /* else the next event does it */
}

static void on_fence(void *ctx, const struct herd_fence_event *event)
{
    struct herd_webhook *webhook = ctx;
    struct herd_buf json = {0};
    if (webhook->count >= webhook->settings.queue_max || webhook->bytes >= HERD_WEBHOOK_QUEUE_MAX_BYTES) {
        note_dropped(webhook, "queue_full");
        return;
    }
    int err = herd_fence_event_put(&json, event, herd_clock().wall_ns);
    if (err >= 0)
        err = herd_buf_add(&json, "}", 1);
    struct hook_event *entry = err >= 0 ? malloc(sizeof *entry + json.len) : NULL;
    if (entry) {
        *entry = (struct hook_event){NULL, json.len};
        memcpy(entry->json, json.at, json.len);
        *webhook->last = entry;
        webhook->last = &entry->next;
        webhook->count++;
        webhook->bytes += json.len;
        post_soon(webhook, 0);
    } else {
        note_dropped(webhook, "memory");
    }
    herd_buf_fini(&json);
}

/* ---- posting ---- */

/* Half of the wait, and up to as much again: servers that failed together do not come back together. */
static int64_t with_jitter(struct herd_webhook *webhook, int64_t wait_ms)
{
    webhook->jitter ^= webhook->jitter << 13;
    webhook->jitter ^= webhook->jitter >> 7;
    webhook->jitter ^= webhook->jitter << 17;
    return wait_ms / 2 + (int64_t)(webhook->jitter % (uint64_t)(wait_ms / 2 + 1));
}

static void note_failure(struct herd_webhook *webhook, const struct herd_fetch_result *result)
{
    char status[32];
    uint64_t n = ++webhook->failures_in_row;
    webhook->stats.failures++;
    snprintf(status, sizeof status, "status %ld", result->http_status);
    if ((n & (n - 1)) != 0)
        return;
    struct herd_log_field fields[] = {herd_log_text("why", result->err < 0 ? result->why : status),
                                      herd_log_int("failures", (int64_t)n),
                                      herd_log_int("queue", (int64_t)webhook->count)};
    herd_log_event(webhook->server->log, HERD_LOG_WARN, "webhook_failed", fields, 3);
}

/* Whether a status says that it is the events that are not wanted. */
static bool refuses_content(const struct herd_fetch_result *result)
{
    return result->err >= 0 &&
           (result->http_status == 400 || result->http_status == 413 || result->http_status == 422);
}

static void on_posted(void *ctx, const struct herd_fetch_result *result)
{
    struct herd_webhook *webhook = ctx;
    webhook->call = NULL;
    if (result->err >= 0 && result->http_status >= 200 && result->http_status < 300) {
        if (webhook->failures_in_row > 0) {
            struct herd_log_field field = herd_log_int("failures", (int64_t)webhook->failures_in_row);
            herd_log_event(webhook->server->log, HERD_LOG_INFO, "webhook_recovered", &field, 1);
        }
        webhook->stats.posted += webhook->posting;
        for (; webhook->posting > 0; webhook->posting--)
            drop_first(webhook);
        webhook->batch = HERD_WEBHOOK_BATCH;
        webhook->refusals = 0;
        webhook->failures_in_row = 0;
        post_soon(webhook, 0);
        return;
    }
    note_failure(webhook, result);
    if (refuses_content(result)) {
        if (webhook->posting == 1 && ++webhook->refusals >= REFUSALS_MAX) {
            drop_first(webhook);
            webhook->refusals = 0;
            note_dropped(webhook, "refused");
        }
        webhook->batch = 1;
    }
    webhook->posting = 0;
    int64_t wait_ms = WAIT_LEAST_MS;
    for (uint64_t i = 1; i < webhook->failures_in_row && wait_ms < WAIT_MOST_MS; i++)
        wait_ms *= 2;
    wait_ms = with_jitter(webhook, wait_ms < WAIT_MOST_MS ? wait_ms : WAIT_MOST_MS);
    if (result->err >= 0 && result->retry_after_s > wait_ms / 1000)
        wait_ms = result->retry_after_s < ASKED_MOST_MS / 1000 ? result->retry_after_s * 1000 : ASKED_MOST_MS;
    post_soon(webhook, wait_ms);
}

static int make_body(struct herd_webhook *webhook, struct herd_buf *out, size_t *ret_events)
{
    struct herd_span name = herd_node_name(webhook->server->node);
    size_t count = 0;
    int err = herd_buf_add_text(out, "{\"server\":\"");
    if (err >= 0)
        err = herd_buf_add(out, name.at, name.len);
    if (err >= 0)
        err = herd_buf_add_text(out, "\",\"events\":[");
    for (const struct hook_event *event = webhook->first;
         err >= 0 && event && count < webhook->batch && (count == 0 || out->len + event->len < BATCH_MAX_BYTES);
         event = event->next, count++) {
        if (count > 0)
            err = herd_buf_add(out, ",", 1);
        if (err >= 0)
            err = herd_buf_add(out, event->json, event->len);
    }
    *ret_events = count;
    return err < 0 ? err : herd_buf_add_text(out, "]}");
}

static int post(struct herd_webhook *webhook)
{
    struct herd_buf body = {0};
    char signature[32 + HERD_WEBHOOK_SIGNATURE_SIZE] = "Herd-Signature: sha256=";
    const char *headers[] = {"Content-Type: application/json", signature};
    size_t count = 0;
    int err = make_body(webhook, &body, &count);
    if (err >= 0 && webhook->secret)
        err = herd_webhook_sign((struct herd_span){webhook->secret, webhook->secret_len},
                                (struct herd_span){body.at, body.len}, signature + strlen(signature));
    const struct herd_fetch_request request = {
        .url = webhook->settings.url,
        .body = {body.at, body.len},
        .headers = headers,
        .header_count = webhook->secret ? 2 : 1,
        .timeout_ms = webhook->settings.timeout_ms,
        .body_max_bytes = REPLY_MAX_BYTES,
    };
    if (err >= 0)
        err = herd_fetch_start(webhook->origin, &request, on_posted, webhook, &webhook->call);
    herd_buf_fini(&body);
    if (err < 0)
        webhook->call = NULL;
    else
        webhook->posting = count;
    return err;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct herd_webhook *webhook = arg;
    if (!webhook->call && webhook->count > 0 && post(webhook) < 0)
        post_soon(webhook, WAIT_LEAST_MS); /* memory is short */
}

/* ---- its life ---- */

static void drop_settings(struct herd_config_webhook *settings)
{
    free(settings->url);
    free(settings->ca_file);
    *settings = (struct herd_config_webhook){.server = NULL};
}

static void free_webhook(struct herd_webhook *webhook)
{
    if (webhook->sink.on_event)
        herd_server_fence_sink_remove(&webhook->sink);
    herd_fetch_free(webhook->fetch);
    if (webhook->timer)
        event_free(webhook->timer);
    while (webhook->first)
        drop_first(webhook);
    herd_webhook_secret_free(webhook->secret, webhook->secret_len);
    drop_settings(&webhook->settings);
    free(webhook);
}

struct herd_webhook_stats herd_webhook_stats(const struct herd_webhook *webhook)
{
    struct herd_webhook_stats stats = webhook->stats;
    stats.queued = webhook->count;
    return stats;
}

void herd_webhook_close(struct herd_server *server)
{
    struct herd_webhook *webhook = server->webhook;
    if (!webhook)
        return;
    if (webhook->count > 0) {
        struct herd_log_field field = herd_log_int("events", (int64_t)webhook->count);
        herd_log_event(server->log, HERD_LOG_WARN, "webhook_unsent", &field, 1);
    }
    server->webhook = NULL;
    free_webhook(webhook);
}

static struct herd_webhook *make_webhook(struct herd_server *server)
{
    struct herd_webhook *webhook = calloc(1, sizeof *webhook);
    if (!webhook)
        return NULL;
    webhook->server = server;
    webhook->last = &webhook->first;
    webhook->batch = HERD_WEBHOOK_BATCH;
    webhook->jitter = (uint64_t)herd_clock().wall_ns | 1;
    webhook->timer = event_new(server->base, -1, 0, on_timer, webhook);
    if (!webhook->timer) {
        free_webhook(webhook);
        return NULL;
    }
    return webhook;
}

/* Makes the way to a URL. HERD_E_NOMEM, or as herd_fetch_origin_new. */
static int make_way(struct herd_webhook *webhook, const struct herd_config_webhook *is,
                    struct herd_fetch **ret_fetch, struct herd_fetch_origin **ret_origin, const char **reterr_why)
{
    struct herd_fetch *fetch;
    int err = herd_fetch_new(&fetch, webhook->server->base);
    if (err < 0)
        return err;
    herd_fetch_set_resolver(fetch, webhook->server->resolver);
    err = herd_fetch_origin_new(fetch, ret_origin, is->url, is->ca_file, reterr_why);
    if (err < 0)
        herd_fetch_free(fetch);
    else
        *ret_fetch = fetch;
    return err;
}

/* From now on events go another way. What is under way on the old one, and may have been taken there, is posted again; how the
 * old one failed says nothing of the new one. */
static void take_way(struct herd_webhook *webhook, struct herd_fetch *fetch, struct herd_fetch_origin *origin)
{
    herd_fetch_free(webhook->fetch); /* with its origin, and the call */
    webhook->fetch = fetch;
    webhook->origin = origin;
    webhook->call = NULL;
    webhook->posting = 0;
    webhook->batch = HERD_WEBHOOK_BATCH;
    webhook->refusals = 0;
    webhook->failures_in_row = 0;
    (void)event_del(webhook->timer);
    post_soon(webhook, 0);
}

/* Takes the settings, the way and the secret. */
static int apply(struct herd_webhook *webhook, const struct herd_config_webhook *is,
                 struct herd_diagnostic *reterr_diagnostic)
{
    struct herd_config_webhook *was = &webhook->settings;
    struct herd_config_webhook settings = {.timeout_ms = is->timeout_ms, .queue_max = is->queue_max};
    struct herd_fetch *fetch = NULL;
    struct herd_fetch_origin *origin = NULL;
    char *secret = NULL;
    size_t secret_len = 0;
    const char *why = herd_strerror(HERD_E_NOMEM);
    int err =
        is->secret_file ? herd_webhook_secret_read(is->secret_file, &secret, &secret_len, reterr_diagnostic) : 0;
    if (err < 0)
        return err;
    settings.url = strdup(is->url);
    settings.ca_file = is->ca_file ? strdup(is->ca_file) : NULL;
    err = settings.url && (settings.ca_file || !is->ca_file) ? 0 : HERD_E_NOMEM;
    if (err >= 0 &&
        (!webhook->fetch || !herd_same_text(was->url, is->url) || !herd_same_text(was->ca_file, is->ca_file)))
        err = make_way(webhook, is, &fetch, &origin, &why);
    if (err < 0) {
        drop_settings(&settings);
        herd_webhook_secret_free(secret, secret_len);
        return fail(reterr_diagnostic, err, why);
    }
    drop_settings(was);
    herd_webhook_secret_free(webhook->secret, webhook->secret_len);
    *was = settings;
    webhook->secret = secret;
    webhook->secret_len = secret_len;
    if (fetch)
        take_way(webhook, fetch, origin);
    return 0;
}

int herd_webhook_configure(struct herd_server *server, const struct herd_config *config,
                           struct herd_diagnostic *reterr_diagnostic)
{
    const bool ours =
        server->area && config->webhook.server && strcmp(config->webhook.server, server->options.name) == 0;
    if (!ours) {
        herd_webhook_close(server);
        return 0;
    }
    struct herd_webhook *webhook = server->webhook ? server->webhook : make_webhook(server);
    if (!webhook)
        return fail(reterr_diagnostic, HERD_E_NOMEM, herd_strerror(HERD_E_NOMEM));
    int err = apply(webhook, &config->webhook, reterr_diagnostic);
    if (server->webhook)
        return err;
    if (err < 0) {
        free_webhook(webhook);
        return err;
    }
    webhook->sink = (struct herd_fence_sink){.on_event = on_fence, .ctx = webhook};
    herd_server_fence_sink_add(server, &webhook->sink);
    server->webhook = webhook;
    return 0;
}
