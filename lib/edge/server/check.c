/* SPDX-License-Identifier: MIT */
/*
 * A configuration judged before a start: its form, and whether what it names can be used: keys, trust roots, files of
 * places, who is who, the folder of the journal, the address to listen on. Nothing is made, locked or left behind, so a server
 * with this configuration may be running meanwhile.
 */
#include "../config/config_path.h"
#include "../config/config_reader.h"
#include "../database/adapter.h"
#include "../trust/expiry.h"
#include "../trust/trust.h"
#include "fences.h"
#include "server_impl.h"
#include "webhook.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct check {
    herd_server_finding *on_finding;
    void *ctx;
    const struct herd_config_places *places; /* NULL: of a configuration that is no text */
    int err;                                 /* the first */
};

static void notify_stopped(struct check *check, int err, struct herd_config_place at, const char *message,
                           const char *more)
{
    struct herd_diagnostic diagnostic = {.line = at.line, .column = at.column};
    int len = snprintf(diagnostic.message, sizeof diagnostic.message, "%s%s", message, more);
    if (len >= (int)sizeof diagnostic.message) /* paths may be longer than that */
        memcpy(diagnostic.message + sizeof diagnostic.message - sizeof "...", "...", sizeof "...");
    if (err < 0 && check->err >= 0)
        check->err = err;
    if (check->on_finding)
        check->on_finding(check->ctx, err, &diagnostic);
}

static void on_fault(void *ctx, const struct herd_diagnostic *diagnostic)
{
    struct check *check = ctx;
    if (check->on_finding)
        check->on_finding(check->ctx, HERD_E_SYNTAX, diagnostic);
}

static void on_provider(void *ctx, size_t provider, int err, const char *message)
{
    struct check *check = ctx;
    struct herd_config_place at = {0};
    if (check->places && check->places->providers)
        at = check->places->providers[provider];
    if (check->places && !at.line)
        return; /* a fault of this provider was told */
    notify_stopped(check, err, at, message, "");
}

/* Whether a socket can be bound there: at any port, for the configured one may be in use by the server itself. Names
 * are asked for as at the start; one that cannot be found out now may be known then. */
static void check_host(struct check *check, const char *host, struct herd_config_place at)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    int code = getaddrinfo(host, NULL, &hints, &found);
    if (code == EAI_NONAME || code == EAI_FAIL)
        notify_stopped(check, HERD_E_ADDRESS, at, "cannot listen: ", gai_strerror(code));
    if (code != 0)
        return;
    int fd =
        socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0); /* none: no such family here, for "*" no fault */
    /* EPERM: a service manager lets us bind the configured port only, and says nothing of the host. */
    if (fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) < 0 && errno != EPERM)
        notify_stopped(check, HERD_E_ADDRESS, at, "cannot listen on this host: ", strerror(errno));
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
}

static void check_listen(struct check *check, const struct herd_config_server *server, struct herd_config_place at)
{
    for (size_t i = 0; i < server->listen_count; i++)
        check_host(check, strcmp(server->listen[i], "*") == 0 ? "::" : server->listen[i], at);
    if (server->listen_count == 0)
        check_host(check, server->host, at);
    for (size_t i = 0; i < server->http_listen_count; i++)
        check_host(check, strcmp(server->http_listen[i], "*") == 0 ? "::" : server->http_listen[i], at);
}

/* Whether the file can be written, or made in its folder. */
static void check_journal(struct check *check, const char *text, const char *name, struct herd_config_place at)
{
    struct herd_buf path = {0};
    struct stat file;
    char shown[HERD_CONFIG_SHOWN_SIZE];
    int err = herd_config_path(text, name, &path);
    if (err < 0) {
        notify_stopped(check, err, at, "journal: ", herd_strerror(err));
    } else if (stat(path.at, &file) == 0) {
        if (!S_ISREG(file.st_mode))
            notify_stopped(check, HERD_E_IO, at,
                           "journal: not a regular file: ", herd_config_show(shown, herd_span_of(path.at)));
        else if (access(path.at, R_OK | W_OK) < 0)
            notify_stopped(check, HERD_E_IO, at, "journal: ", strerror(errno));
    } else {
        char *slash = strrchr(path.at, '/');
        if (slash)
            slash[slash == path.at] = '\0';
        const char *folder = slash ? path.at : ".";
        if (access(folder, W_OK | X_OK) < 0) {
            int error = errno;
            char why[256];
            snprintf(why, sizeof why, "%s: %s", herd_config_show(shown, herd_span_of(folder)), strerror(error));
            notify_stopped(check, HERD_E_IO, at, "journal: cannot make a file in ", why);
        }
    }
    herd_buf_fini(&path);
}

/* ---- who is who ---- */

static void on_trust(void *ctx, enum herd_config_trust member, int err, const struct herd_tls_fault *fault)
{
    struct check *check = ctx;
    struct herd_config_place at = {0};
    if (check->places)
        at = check->places->trust[member];
    notify_stopped(check, err, at, "", fault->text);
}

static void note_ends(struct check *check, const struct herd_trust *trust, int64_t now_s)
{
    static const enum herd_config_trust members[HERD_TLS_ENDS] = {HERD_CONFIG_TLS_CERTIFICATE, HERD_CONFIG_TLS_CA,
                                                                  HERD_CONFIG_TLS_CRL};
    for (size_t i = 0; i < HERD_TLS_ENDS; i++) {
        struct herd_tls_fault text;
        if (trust->ends[i].at_s == INT64_MAX || trust->ends[i].at_s - HERD_EXPIRY_WARN_S <= now_s)
            continue; /* it has none, or was warned of */
        herd_expiry_describe(&trust->ends[i], now_s, &text);
        on_trust(check, members[i], HERD_CHECK_NOTE, &text);
    }
}

/* `whole`: the form is right. Of what could be read of another, the files are judged, and not what they are together. */
static void check_trust(struct check *check, const struct herd_config *config, const char *name, bool whole)
{
    struct herd_trust *trust = NULL;
    int self = name ? herd_config_find(config, herd_span_of(name)) : -1;
    int64_t now_s = (int64_t)time(NULL);
    int err = herd_trust_new(&trust, config, self >= 0 ? name : NULL, on_trust, check);
    if (err == HERD_E_NOMEM && check->err >= 0)
        check->err = err;
    if (err < 0)
        return;
    if (whole)
        (void)herd_trust_check(trust, config, self, now_s, on_trust, check);
    note_ends(check, trust, now_s);
    herd_trust_free(trust);
}

/* The file of fences, and the secret of the webhook. */
static void check_fences(struct check *check, const struct herd_config *config)
{
    struct herd_config_place at = {0};
    struct herd_fence_file *file = NULL;
    struct herd_diagnostic diagnostic = {0};
    int err = config->fences ? herd_fence_file_read(&file, config, &diagnostic) : 0;
    if (err < 0)
        notify_stopped(check, err, check->places ? check->places->fences : at, diagnostic.message, "");
    herd_fence_file_free(file);
    err = herd_webhook_check(config, &diagnostic);
    if (err < 0)
        notify_stopped(check, err, check->places ? check->places->webhook_secret : at, diagnostic.message, "");
}

/* Whether the adapter is there, and understands how to connect. Nothing is connected. */
static void check_database(struct check *check, const struct herd_config *config, struct herd_config_place at)
{
    const struct herd_database_events events = {0};
    const struct herd_database_driver *driver = NULL;
    struct herd_database *database = NULL;
    struct herd_diagnostic diagnostic = {0};
    if (!config->database.kind || !config->database.dsn_file)
        return;
    struct event_base *base = event_base_new();
    int err = base ? herd_adapter_find(&config->database, &driver, &diagnostic) : HERD_E_NOMEM;
    if (err >= 0)
        err =
            herd_adapter_open(&config->database, config->herd, driver, base, &events, NULL, &database, &diagnostic);
    if (err < 0)
        notify_stopped(check, err, at, diagnostic.message[0] ? diagnostic.message : herd_strerror(err), "");
    if (database)
        driver->close(database);
    if (base)
        event_base_free(base);
}

/* Which servers there are, as many as the message has room for. */
static void tell_unknown(struct check *check, const struct herd_config *config, const char *name)
{
    struct herd_buf text = {0};
    int err = herd_buf_add_text(&text, name);
    if (err >= 0)
        err = herd_buf_add_text(&text, "; there is:");
    for (size_t i = 0; i < config->server_count && err >= 0; i++) {
        err = herd_buf_add_text(&text, " ");
        if (err >= 0)
            err = herd_buf_add_text(&text, config->servers[i].name);
    }
    if (err >= 0)
        err = herd_buf_add(&text, "", 1);
    notify_stopped(check, HERD_E_NOTFOUND, (struct herd_config_place){0},
                   "no such server in the configuration: ", err < 0 ? name : text.at);
    herd_buf_fini(&text);
}

static void check_server(struct check *check, const struct herd_config *config, const char *name)
{
    struct herd_config_place at = {0}, journal_at = {0};
    int self = herd_config_find(config, herd_span_of(name));
    if (self < 0) {
        tell_unknown(check, config, name);
        return;
    }
    if (check->places && check->places->servers)
        at = check->places->servers[self];
    if (check->places)
        journal_at = check->places->journal;
    if (at.line || !check->places || !check->places->servers)
        check_listen(check, &config->servers[self], at);
    if (config->journal)
        check_journal(check, config->journal, name, journal_at);
}

int herd_server_check(const char *path, const char *name, herd_server_finding *on_finding, void *ctx)
{
    struct herd_config_places places = {0};
    struct check check = {.on_finding = on_finding, .ctx = ctx, .places = path ? &places : NULL};
    struct herd_config *config = NULL;
    check.err = path ? herd_config_examine(&config, &places, path, on_fault, &check) : herd_config_default(&config);
    if (config) {
        bool whole = check.err >= 0;
        (void)herd_places_check(config, on_provider, &check);
        check_trust(&check, config, name, whole);
        check_fences(&check, config);
        check_database(&check, config, places.database);
        if (name)
            check_server(&check, config, name);
    }
    herd_config_free(config);
    herd_config_places_fini(&places);
    return check.err;
}
