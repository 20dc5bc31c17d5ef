/* SPDX-License-Identifier: MIT */
#include "adapter.h"

#include "../../core/base/wipe.h"
#include "../tls/tls_file.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define DAY_NS  INT64_C(86400000000000)
#define SUFFIX  ".so.0.1"
#define DSN_MAX 4096

static int fail(struct herd_diagnostic *reterr_diagnostic, int err, const char *what, const char *why)
{
    reterr_diagnostic->line = reterr_diagnostic->column = 0;
    snprintf(reterr_diagnostic->message, sizeof reterr_diagnostic->message, "database: %s%s%.200s", what,
             *why ? ": " : "", why);
    return err;
}

/* Where libherd is installed, then wherever the system looks. */
static void *load(const char *kind)
{
    char path[4096];
    int len = snprintf(path, sizeof path, HERD_LIBDIR "/libherd-%s" SUFFIX, kind);
    void *library = len > 0 && (size_t)len < sizeof path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library)
        return library;
    snprintf(path, sizeof path, "libherd-%s" SUFFIX, kind);
    return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

int herd_adapter_find(const struct herd_config_database *config, const struct herd_database_driver **ret_driver,
                      struct herd_diagnostic *reterr_diagnostic)
{
    void *library = config->library ? dlopen(config->library, RTLD_NOW | RTLD_LOCAL) : load(config->kind);
    if (!library) {
        const char *why = dlerror();
        return fail(reterr_diagnostic, HERD_E_UNSUPPORTED, "cannot load the adapter", why ? why : config->kind);
    }
    const struct herd_database_driver *const *driver = dlsym(library, HERD_DATABASE_SYMBOL);
    int err = 0;
    if (!driver || !*driver || (*driver)->version != HERD_DATABASE_VERSION)
        err =
            fail(reterr_diagnostic, HERD_E_UNSUPPORTED, "its library has no adapter of this version", config->kind);
    else if (strcmp((*driver)->kind, config->kind) != 0)
        err = fail(reterr_diagnostic, HERD_E_UNSUPPORTED, "its library is for another kind", (*driver)->kind);
    else
        *ret_driver = *driver;
    if (err < 0)
        dlclose(library);
    return err;
}

/* The first line, without white space at its end. */
static struct herd_span first_line(const struct herd_buf *text)
{
    size_t len = 0;
    while (len < text->len && text->at[len] != '\n' && text->at[len] != '\0')
        len++;
    while (len > 0 && (text->at[len - 1] == '\r' || text->at[len - 1] == ' ' || text->at[len - 1] == '\t'))
        len--;
    return (struct herd_span){text->at, len};
}

int herd_adapter_open(const struct herd_config_database *config, const char *herd,
                      const struct herd_database_driver *driver, struct event_base *base,
                      const struct herd_database_events *events, void *ctx, struct herd_database **ret_database,
                      struct herd_diagnostic *reterr_diagnostic)
{
    struct herd_tls_fault fault = {0};
    struct herd_buf text = {0};
    int err = herd_tls_file_read(config->dsn_file, true, &text, &fault);
    if (err < 0) {
        herd_buf_fini(&text);
        return err == HERD_E_NOMEM ? err : fail(reterr_diagnostic, err, "dsn_file", fault.text);
    }
    const struct herd_database_options options = {
        .dsn = first_line(&text),
        .herd = herd,
        .history = config->history,
        .retention_ns = config->retention_days * DAY_NS,
        .geo = config->geo,
    };
    struct herd_diagnostic diagnostic = {0};
    if (options.dsn.len == 0 || options.dsn.len > DSN_MAX) {
        err = fail(reterr_diagnostic, HERD_E_SYNTAX, "dsn_file", "its first line is not how to connect");
    } else {
        err = driver->open(ret_database, base, &options, events, ctx, &diagnostic);
        if (err < 0 && err != HERD_E_NOMEM)
            fail(reterr_diagnostic, err, "dsn_file",
                 diagnostic.message[0] ? diagnostic.message : herd_strerror(err));
    }
    herd_wipe(text.at, text.cap);
    herd_buf_fini(&text);
    return err;
}
