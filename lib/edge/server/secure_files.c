/* SPDX-License-Identifier: MIT */
/* The files that say who is who: opened at the start, read anew, and watched for their end. */
#include "../trust/expiry.h"
#include "server_impl.h"

#include <stdio.h>

struct findings {
    struct herd_server *server;
    struct herd_diagnostic *diagnostic; /* gets the first fault */
    bool found;
};

static void on_finding(void *ctx, enum herd_config_trust member, int err, const struct herd_tls_fault *fault)
{
    struct findings *findings = ctx;
    struct herd_log_field field = herd_log_text("why", fault->text);
    (void)member;
    if (err >= 0) {
        herd_log_event(findings->server->log, HERD_LOG_WARN, fault->event, &field, 1);
        return;
    }
    if (findings->found)
        return;
    findings->found = true;
    findings->diagnostic->line = findings->diagnostic->column = 0;
    snprintf(findings->diagnostic->message, sizeof findings->diagnostic->message, "%s: %.200s", fault->event,
             fault->text);
}

/* Who fails without a word ran out of memory. */
static int finish(const struct findings *findings, int err)
{
    if (err < 0 && !findings->found)
        snprintf(findings->diagnostic->message, sizeof findings->diagnostic->message, "%s", herd_strerror(err));
    return err;
}

static size_t count_identities(const struct herd_trust *trust)
{
    return trust->identities ? herd_identities_count(trust->identities) : 0;
}

static void log_access(struct herd_server *server, enum herd_log_level level)
{
    const struct herd_trust *trust = server->trust;
    static const char *const modes[] = {"off", "allow", "require"};
    struct herd_log_field fields[] = {
        herd_log_text("tls", modes[trust->mode]),
        herd_log_int("identities", (int64_t)count_identities(trust)),
        herd_log_text("secret", trust->has_secret ? "yes" : "no"),
    };
    herd_log_event(server->log, level, trust->identities ? "access_by_identity" : "access_for_everybody", fields,
                   3);
}

/* The program's own context, if it brought one, comes in place of files. */
static int adopt_tls(struct herd_server *server, const struct herd_config *config, struct findings *findings)
{
    struct herd_tls_fault fault = {0};
    if (!server->options.ssl_ctx)
        return 0;
    int err = herd_trust_adopt_tls(server->trust, server->options.ssl_ctx, config, &fault);
    if (err < 0 && fault.event)
        on_finding(findings, HERD_CONFIG_TLS, err, &fault);
    return err;
}

int herd_secure_open(struct herd_server *server, struct herd_diagnostic *reterr_diagnostic)
{
    struct findings findings = {server, reterr_diagnostic, false};
    int err = herd_trust_new(&server->trust, server->config, server->options.name, on_finding, &findings);
    if (err >= 0)
        err = adopt_tls(server, server->config, &findings);
    if (err >= 0)
        log_access(server, HERD_LOG_INFO);
    return finish(&findings, err);
}

int herd_secure_reload(struct herd_server *server, const struct herd_config *config, struct herd_trust **ret_old,
                       struct herd_diagnostic *reterr_diagnostic)
{
    struct findings findings = {server, reterr_diagnostic, false};
    int err = herd_trust_reload(&server->trust, ret_old, config, server->options.name, herd_clock().steady_ns,
                                on_finding, &findings);
    if (err >= 0 && (err = adopt_tls(server, config, &findings)) < 0) {
        herd_trust_free(server->trust);
        server->trust = *ret_old;
        *ret_old = NULL;
    }
    server->ends_due_s = 0;
    return finish(&findings, err);
}

void herd_secure_log_access(struct herd_server *server, const struct herd_trust *old)
{
    const struct herd_trust *trust = server->trust;
    bool opened = old->identities && !trust->identities;
    bool closed = !old->identities && trust->identities;
    if (opened || closed || count_identities(old) != count_identities(trust) || old->mode != trust->mode)
        log_access(server, opened ? HERD_LOG_WARN : HERD_LOG_INFO);
}

void herd_secure_watch_ends(struct herd_server *server)
{
    struct herd_tls_end due[HERD_TLS_ENDS];
    int64_t now_s = herd_clock().wall_ns / 1000000000;
    if (now_s < server->ends_due_s)
        return;
    size_t count = herd_expiry_due(server->trust->ends, HERD_TLS_ENDS, now_s, due, &server->ends_due_s);
    for (size_t i = 0; i < count; i++) {
        struct herd_tls_fault text = {0};
        herd_expiry_describe(&due[i], now_s, &text);
        struct herd_log_field field = herd_log_text("why", text.text);
        herd_log_event(server->log, HERD_LOG_WARN, text.event, &field, 1);
    }
}
