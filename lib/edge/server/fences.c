/* SPDX-License-Identifier: MIT */
/* Fences of a file, at the start and when it is read anew. */
#include "fences.h"

#include "../../core/base/array.h"
#include "../../core/base/hash.h"
#include "../tls/tls_file.h"
#include "server_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct herd_geojson_fence fence; /* its shape is NULL once the area has it */
    uint64_t text_hash;              /* of the fence as it is written: equal ones are equal */
};

struct herd_fence_file {
    struct entry *entries; /* by name */
    size_t count, cap, most;
    struct herd_diagnostic *diagnostic; /* while it is read */
};

void herd_fence_file_free(struct herd_fence_file *file)
{
    if (!file)
        return;
    for (size_t i = 0; i < file->count; i++)
        herd_shape_free(file->entries[i].fence.shape);
    free(file->entries);
    free(file);
}

static int by_name(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;
    return strcmp(left->fence.name, right->fence.name);
}

static int fail(struct herd_diagnostic *diagnostic, int err, const char *what)
{
    diagnostic->line = diagnostic->column = 0;
    snprintf(diagnostic->message, sizeof diagnostic->message, "%.255s", what);
    return err;
}

static int hash_fence(struct entry *entry)
{
    static const uint64_t key[2] = {1, 2};
    struct herd_buf text = {0};
    const struct herd_geojson_fence *fence = &entry->fence;
    int err = herd_fence_put_geojson(&text, herd_span_of(fence->name), fence->shape, &fence->options);
    if (err >= 0)
        entry->text_hash = herd_siphash(key, text.at, text.len);
    herd_buf_fini(&text);
    return err;
}

static int take_fence(void *ctx, const struct herd_geojson_fence *fence, unsigned line)
{
    struct herd_fence_file *file = ctx;
    int err = 0;
    if (file->count == file->most)
        err = fail(file->diagnostic, HERD_E_LIMIT, "more fences than limits.fences_max");
    if (err >= 0) {
        struct entry *entries = herd_array_reserve(file->entries, &file->cap, file->count + 1, sizeof *entries);
        if (entries)
            file->entries = entries;
        else
            err = fail(file->diagnostic, HERD_E_NOMEM, herd_strerror(HERD_E_NOMEM));
    }
    if (err < 0) {
        file->diagnostic->line = line;
        herd_shape_free(fence->shape);
        return err;
    }
    struct entry *entry = &file->entries[file->count++];
    *entry = (struct entry){.fence = *fence};
    err = hash_fence(entry);
    return err < 0 ? fail(file->diagnostic, err, herd_strerror(err)) : 0;
}

static int check_names(const struct herd_fence_file *file)
{
    char text[128];
    for (size_t i = 1; i < file->count; i++) {
        if (strcmp(file->entries[i - 1].fence.name, file->entries[i].fence.name) != 0)
            continue;
        snprintf(text, sizeof text, "two fences named %s", file->entries[i].fence.name);
        return fail(file->diagnostic, HERD_E_EXISTS, text);
    }
    return 0;
}

static int read_entries(struct herd_fence_file *file, const char *path)
{
    struct herd_buf bytes = {0};
    struct herd_tls_fault fault = {0};
    int err = herd_tls_file_read(path, false, &bytes, &fault);
    if (err < 0)
        fail(file->diagnostic, err, fault.event ? fault.text : herd_strerror(err));
    else
        err = herd_fences_geojson((struct herd_span){bytes.at, bytes.len}, take_fence, file, file->diagnostic);
    herd_buf_fini(&bytes);
    if (err >= 0 && file->count > 0)
        qsort(file->entries, file->count, sizeof *file->entries, by_name);
    return err < 0 ? err : check_names(file);
}

int herd_fence_file_read(struct herd_fence_file **ret_file, const struct herd_config *config,
                         struct herd_diagnostic *reterr_diagnostic)
{
    struct herd_diagnostic fault = {0};
    struct herd_fence_file *file = calloc(1, sizeof *file);
    if (!file)
        return fail(reterr_diagnostic, HERD_E_NOMEM, herd_strerror(HERD_E_NOMEM));
    file->most = (size_t)config->limits.fences_max;
    file->diagnostic = &fault;
    int err = read_entries(file, config->fences);
    file->diagnostic = NULL;
    if (err >= 0) {
        *ret_file = file;
        return 0;
    }
    herd_fence_file_free(file);
    /* The line is one of that file, not of the configuration. */
    reterr_diagnostic->line = reterr_diagnostic->column = 0;
    if (fault.line)
        snprintf(reterr_diagnostic->message, sizeof reterr_diagnostic->message, "fences: %.100s:%u:%u: %.120s",
                 config->fences, fault.line, fault.column, fault.message);
    else if (strncmp(fault.message, config->fences, strlen(config->fences)) == 0)
        snprintf(reterr_diagnostic->message, sizeof reterr_diagnostic->message, "fences: %.240s", fault.message);
    else
        snprintf(reterr_diagnostic->message, sizeof reterr_diagnostic->message, "fences: %.100s: %.140s",
                 config->fences, fault.message);
    return err;
}

int herd_server_fence_set(struct herd_server *server, struct herd_span name, struct herd_shape *shape,
                          const struct herd_fence_options *options)
{
    if (!server->area)
        return HERD_E_STATE;
    if (!herd_area_fence_shape(server->area, name) &&
        herd_area_fence_count(server->area) >= (size_t)server->limits->fences_max)
        return HERD_E_LIMIT;
    return herd_area_fence_set(server->area, name, shape, options);
}

static void set_entry(struct herd_server *server, struct entry *entry)
{
    int err =
        herd_server_fence_set(server, herd_span_of(entry->fence.name), entry->fence.shape, &entry->fence.options);
    if (err >= 0) {
        entry->fence.shape = NULL;
        return;
    }
    herd_shape_free(entry->fence.shape);
    entry->fence.shape = NULL;
    entry->text_hash = 0; /* tried again next time */
    struct herd_log_field fields[] = {herd_log_text("fence", entry->fence.name),
                                      herd_log_text("why", herd_strerror(err))};
    herd_log_event(server->log, HERD_LOG_ERROR, "fence_refused", fields, 2);
}

void herd_server_fences_replace(struct herd_server *server, struct herd_fence_file *file)
{
    struct herd_fence_file *old = server->fence_file;
    const size_t old_count = old ? old->count : 0, count = file ? file->count : 0;
    size_t changed = 0;
    /* Both are in the order of names. What is gone first: then there is room. */
    for (size_t i = 0, k = 0; i < old_count; i++) {
        while (k < count && by_name(&file->entries[k], &old->entries[i]) < 0)
            k++;
        if (k < count && by_name(&file->entries[k], &old->entries[i]) == 0)
            continue;
        (void)herd_area_fence_remove(server->area, herd_span_of(old->entries[i].fence.name));
        changed++;
    }
    for (size_t i = 0, k = 0; i < count; i++) {
        struct entry *entry = &file->entries[i];
        while (k < old_count && by_name(&old->entries[k], entry) < 0)
            k++;
        bool same = k < old_count && by_name(&old->entries[k], entry) == 0 &&
                    old->entries[k].text_hash == entry->text_hash &&
                    herd_area_fence_shape(server->area, herd_span_of(entry->fence.name));
        if (same) {
            herd_shape_free(entry->fence.shape);
            entry->fence.shape = NULL;
            continue;
        }
        set_entry(server, entry);
        changed++;
    }
    herd_fence_file_free(old);
    server->fence_file = file;
    if (changed == 0)
        return;
    struct herd_log_field fields[] = {herd_log_int("fences", (int64_t)herd_area_fence_count(server->area)),
                                      herd_log_int("changed", (int64_t)changed)};
    herd_log_event(server->log, HERD_LOG_INFO, "fences_set", fields, 2);
}

int herd_server_fences_open(struct herd_server *server, struct herd_diagnostic *reterr_diagnostic)
{
    struct herd_fence_file *file;
    if (!server->area || !server->config->fences)
        return 0;
    int err = herd_fence_file_read(&file, server->config, reterr_diagnostic);
    if (err >= 0)
        herd_server_fences_replace(server, file);
    return err;
}

void herd_server_fences_reread(struct herd_server *server)
{
    struct herd_fence_file *file;
    struct herd_diagnostic diagnostic;
    if (!server->area || !server->config->fences)
        return;
    if (herd_fence_file_read(&file, server->config, &diagnostic) >= 0) {
        herd_server_fences_replace(server, file);
        return;
    }
    struct herd_log_field field = herd_log_text("why", diagnostic.message);
    herd_log_event(server->log, HERD_LOG_ERROR, "fences_kept", &field, 1);
}
