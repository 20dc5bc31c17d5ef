/* SPDX-License-Identifier: MIT */
/* Reads a configuration: the file, the tree of its JSON, its sections. */
#include "config_reader.h"
#include "json_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int herd_config_tree(struct herd_config_reader *reader, struct json_object **ret_tree)
{
    struct json_object *tree = NULL;
    struct json_tokener *tokener = NULL;
    int err = herd_json_scan_check(reader);
    if (err < 0)
        goto out;
    err = HERD_E_NOMEM;
    tokener = json_tokener_new_ex(2 * HERD_CONFIG_DEPTH_MAX);
    if (!tokener)
        goto out;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    tree = json_tokener_parse_ex(tokener, reader->text.at, (int)reader->text.len);
    if (tree) {
        err = herd_json_mark(reader, tree);
    } else {
        /* The text is known to be good JSON: without a word of its own, json-c ran out of memory. */
        enum json_tokener_error why = json_tokener_get_error(tokener);
        if (why != json_tokener_success && why != json_tokener_continue)
            err = herd_config_fail(reader, HERD_E_SYNTAX, json_tokener_get_parse_end(tokener), "%s",
                                   json_tokener_error_desc(why));
    }
    if (err < 0)
        goto out;
    *ret_tree = tree;
    tree = NULL;
out:
    json_object_put(tree);
    if (tokener)
        json_tokener_free(tokener);
    return err;
}

static int take_level(struct herd_config_reader *reader, struct json_object *value, enum herd_log_level *ret_level)
{
    if (json_object_is_type(value, json_type_string) &&
        herd_log_level_parse(json_object_get_string(value), ret_level) >= 0)
        return 0;
    return herd_config_expected(reader, HERD_E_SYNTAX, value, "error, warn, info or debug");
}

static int take_log(struct herd_config_reader *reader, const char *name, struct json_object *value, void *ctx)
{
    struct herd_config *config = ctx;
    if (strcmp(name, "level") == 0)
        return take_level(reader, value, &config->log_level);
    if (strcmp(name, "traffic") == 0)
        return herd_config_take_bool(reader, value, &config->log_traffic);
    return HERD_CONFIG_UNKNOWN;
}

/* The sections in an order in which each finds what it needs, whatever their order in the file. */
static int take_sections(struct herd_config_reader *reader, struct json_object *tree, struct herd_config *config)
{
    /* Those from FIRST_TRUST on are in the order of enum herd_config_trust. */
    enum {
        SERVERS,
        LINKS,
        PLACES,
        LOG,
        JOURNAL,
        AREA,
        FENCES,
        WEBHOOK,
        DATABASE,
        LIMITS,
        HTTP,
        HERD,
        SHARDS,
        FIRST_TRUST,
        SECRET_FILE = FIRST_TRUST,
        IDENTITIES,
        PSK_FILE,
        TLS,
        COUNT
    };
    static const char *const names[COUNT] = {"servers", "links",       "places",     "log",      "journal", "area",
                                             "fences",  "webhook",     "database",   "limits",   "http",    "herd",
                                             "shards",  "secret_file", "identities", "psk_file", "tls"};
    struct json_object *sections[COUNT] = {NULL};
    int first = 0;
    json_object_object_foreach(tree, name, member)
    {
        size_t i = 0;
        while (i < COUNT && strcmp(name, names[i]) != 0)
            i++;
        if (i == COUNT) {
            herd_config_enter(reader, herd_span_of(name));
            int err = herd_config_fail(reader, HERD_E_SYNTAX, herd_config_name_at(reader, member),
                                       "unknown member, expected servers, links, places, log, journal, area, "
                                       "fences, webhook, database, limits, http, herd, "
                                       "shards, secret_file, identities, psk_file or tls");
            if (!herd_config_goes_on(reader, 0, &first, err))
                return err;
            continue;
        }
        sections[i] = member;
    }
    /* Links between the built-in servers mean nothing to others. */
    if (sections[SERVERS])
        config->link_count = 0;
    for (size_t i = 0; i < COUNT; i++) {
        int err = 0;
        if (!sections[i])
            continue;
        herd_config_enter(reader, herd_span_of(names[i]));
        switch (i) {
        case SERVERS: err = herd_config_take_servers(reader, sections[i], config); break;
        case LINKS: err = herd_config_take_links(reader, sections[i], config); break;
        case PLACES: err = herd_config_take_places(reader, sections[i], config); break;
        case LOG: err = herd_config_take_members(reader, sections[i], take_log, config, "level or traffic"); break;
        case JOURNAL: err = herd_config_take_text(reader, sections[i], &config->journal); break;
        case AREA: err = herd_config_take_bool(reader, sections[i], &config->area); break;
        case FENCES:
            err = json_object_is_type(sections[i], json_type_string)
                      ? herd_config_take_text(reader, sections[i], &config->fences)
                      : herd_config_expected(reader, HERD_E_SYNTAX, sections[i], "the name of a file of GeoJSON");
            break;
        case WEBHOOK: err = herd_config_take_webhook(reader, sections[i], config); break;
        case DATABASE: err = herd_config_take_database(reader, sections[i], &config->database); break;
        case LIMITS: err = herd_config_take_limits(reader, sections[i], &config->limits); break;
        case HTTP: err = herd_config_take_http(reader, sections[i], config); break;
        case HERD: err = herd_config_take_herd(reader, sections[i], config); break;
        case SHARDS: err = herd_config_take_shards(reader, sections[i], config); break;
        case SECRET_FILE: err = herd_config_take_text(reader, sections[i], &config->secret_file); break;
        case IDENTITIES: err = herd_config_take_text(reader, sections[i], &config->identities); break;
        case PSK_FILE: err = herd_config_take_text(reader, sections[i], &config->psk_file); break;
        default: err = herd_config_take_tls(reader, sections[i], config); break;
        }
        if (i == JOURNAL && err >= 0 && reader->places)
            reader->places->journal = herd_config_place_of(reader, herd_config_at(sections[i]));
        if (i == FENCES && err >= 0 && reader->places)
            reader->places->fences = herd_config_place_of(reader, herd_config_at(sections[i]));
        if (i == DATABASE && err >= 0 && reader->places)
            reader->places->database = herd_config_place_of(reader, herd_config_at(sections[i]));
        if (i >= FIRST_TRUST && err >= 0 && reader->places)
            reader->places->trust[HERD_CONFIG_SECRET_FILE + (i - FIRST_TRUST)] =
                herd_config_place_of(reader, herd_config_at(sections[i]));
        if (!herd_config_goes_on(reader, 0, &first, err))
            return first;
    }
    herd_config_enter(reader, herd_span_of("tls"));
    if (!herd_config_goes_on(reader, 0, &first, herd_config_check_trust(reader, sections[TLS], config)))
        return first;
    if (!herd_config_goes_on(reader, 0, &first, herd_config_check_fences(reader, tree, config)))
        return first;
    herd_config_enter(reader, herd_span_of("servers"));
    herd_config_goes_on(reader, 0, &first, herd_config_check_http(reader, sections[SERVERS], config));
    return first;
}

/* Where all faults are wanted, *ret_config is what could be read even if something is wrong with the rest. */
static int take(struct herd_config_reader *reader, struct herd_config **ret_config)
{
    struct json_object *tree = NULL;
    struct herd_config *config = NULL;
    int err = HERD_E_RANGE;
    if (reader->text.len > HERD_CONFIG_FILE_MAX_BYTES) {
        herd_config_fail_nowhere(reader->diagnostic, err, "expected at most %d bytes, found more",
                                 HERD_CONFIG_FILE_MAX_BYTES);
        if (reader->report)
            reader->report(reader->report_ctx, reader->diagnostic);
        return err;
    }
    err = herd_config_tree(reader, &tree);
    if (err < 0)
        return err;
    reader->depth = 0;
    err = herd_config_default(&config);
    if (err >= 0)
        err = take_sections(reader, tree, config);
    if (err >= 0 || (reader->report && err != HERD_E_NOMEM))
        *ret_config = config;
    else
        herd_config_free(config);
    json_object_put(tree);
    return err;
}

int herd_config_parse(struct herd_config **ret_config, struct herd_span json,
                      struct herd_diagnostic *reterr_diagnostic)
{
    struct herd_diagnostic diagnostic = {0};
    struct herd_config_reader reader = {.text = json, .diagnostic = &diagnostic};
    if (!reader.text.at)
        reader.text = herd_span_of("");
    int err = take(&reader, ret_config);
    if (err == HERD_E_NOMEM)
        herd_config_fail_nowhere(&diagnostic, err, "%s", herd_strerror(err));
    if (err < 0 && reterr_diagnostic)
        *reterr_diagnostic = diagnostic;
    return err;
}

/* Reads to the end of the file, or a byte more than a configuration may have. */
static int read_all(int fd, struct herd_buf *out)
{
    while (out->len <= HERD_CONFIG_FILE_MAX_BYTES) {
        int err = herd_buf_reserve(out, 16384);
        if (err < 0)
            return err;
        ssize_t got = read(fd, out->at + out->len, out->cap - out->len);
        if (got == 0)
            return 0;
        if (got > 0)
            out->len += (size_t)got;
        else if (errno != EINTR)
            return HERD_E_IO;
    }
    return 0;
}

/* The bytes of a file. HERD_E_NOMEM, HERD_E_IO with the fault. */
static int read_file(const char *path, struct herd_buf *out, struct herd_diagnostic *reterr_diagnostic)
{
    char why[128] = "";
    int err = HERD_E_IO;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        err = read_all(fd, out);
    if (err == HERD_E_IO) {
        if (strerror_r(errno, why, sizeof why) != 0)
            why[0] = '\0';
        herd_config_fail_nowhere(reterr_diagnostic, err, "cannot read the file: %s", why);
    } else if (err == HERD_E_NOMEM) {
        herd_config_fail_nowhere(reterr_diagnostic, err, "%s", herd_strerror(err));
    }
    if (fd >= 0)
        close(fd);
    return err;
}

int herd_config_examine(struct herd_config **ret_config, struct herd_config_places *ret_places, const char *path,
                        herd_config_report *report, void *ctx)
{
    struct herd_diagnostic diagnostic = {0};
    struct herd_buf text = {0};
    *ret_config = NULL;
    *ret_places = (struct herd_config_places){0};
    int err = read_file(path, &text, &diagnostic);
    if (err < 0) {
        report(ctx, &diagnostic);
    } else {
        struct herd_config_reader reader = {.text = {text.at ? text.at : "", text.len},
                                            .diagnostic = &diagnostic,
                                            .report = report,
                                            .report_ctx = ctx,
                                            .places = ret_places};
        err = take(&reader, ret_config);
        if (err == HERD_E_NOMEM || (err < 0 && !diagnostic.message[0])) {
            herd_config_fail_nowhere(&diagnostic, err, "%s", herd_strerror(err));
            report(ctx, &diagnostic);
        }
    }
    herd_buf_fini(&text);
    return err;
}

void herd_config_places_fini(struct herd_config_places *places)
{
    free(places->servers);
    free(places->providers);
}

int herd_config_read(struct herd_config **ret_config, const char *path, struct herd_diagnostic *reterr_diagnostic)
{
    struct herd_buf text = {0};
    int err = read_file(path, &text, reterr_diagnostic);
    if (err >= 0)
        err = herd_config_parse(ret_config, (struct herd_span){text.at, text.len}, reterr_diagnostic);
    herd_buf_fini(&text);
    return err;
}
