/* SPDX-License-Identifier: MIT */
/* The database beside the herd: which adapter, how it connects, and what it is for. */
#include "config_reader.h"

#include <stdlib.h>
#include <string.h>

#define DAY_MAX 36500

void herd_config_database_default(struct herd_config_database *database)
{
    *database = (struct herd_config_database){.flush_ms = 1000, .batch = 1000, .adopt_ms = 15000};
}

/* A word that becomes part of the name of a library. */
static bool is_kind(const char *kind)
{
    return strlen(kind) <= HERD_CONFIG_NAME_MAX_BYTES && herd_config_made_of(kind, "_-");
}

static int take_kind(struct herd_config_reader *reader, struct json_object *value,
                     struct herd_config_database *database)
{
    int err = herd_config_take_text(reader, value, &database->kind);
    if (err >= 0 && !is_kind(database->kind))
        err = herd_config_expected(reader, HERD_E_SYNTAX, value, "\"postgres\" or \"redis\"");
    return err;
}

static int take_history(struct herd_config_reader *reader, struct json_object *value,
                        struct herd_config_database *database)
{
    const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    database->history = strcmp(text, "samples") == 0;
    if (!database->history && strcmp(text, "none") != 0)
        return herd_config_expected(reader, HERD_E_SYNTAX, value, "\"none\" or \"samples\"");
    return 0;
}

static int take_member(struct herd_config_reader *reader, const char *name, struct json_object *value, void *ctx)
{
    struct herd_config_database *database = ctx;
    if (strcmp(name, "kind") == 0)
        return take_kind(reader, value, database);
    if (strcmp(name, "dsn_file") == 0)
        return herd_config_take_text(reader, value, &database->dsn_file);
    if (strcmp(name, "library") == 0)
        return herd_config_take_text(reader, value, &database->library);
    if (strcmp(name, "flush_ms") == 0)
        return herd_config_take_int(reader, value, 1, 3600000, &database->flush_ms);
    if (strcmp(name, "batch") == 0)
        return herd_config_take_int(reader, value, 1, 10000, &database->batch);
    if (strcmp(name, "history") == 0)
        return take_history(reader, value, database);
    if (strcmp(name, "retention_days") == 0)
        return herd_config_take_int(reader, value, 0, DAY_MAX, &database->retention_days);
    if (strcmp(name, "adopt_ms") == 0)
        return herd_config_take_int(reader, value, 1000, 86400000, &database->adopt_ms);
    if (strcmp(name, "read_through") == 0)
        return herd_config_take_bool(reader, value, &database->read_through);
    if (strcmp(name, "warm_start") == 0)
        return herd_config_take_bool(reader, value, &database->warm_start);
    if (strcmp(name, "geo") == 0)
        return herd_config_take_bool(reader, value, &database->geo);
    return HERD_CONFIG_UNKNOWN;
}

int herd_config_take_database(struct herd_config_reader *reader, struct json_object *value,
                              struct herd_config_database *database)
{
    int err =
        herd_config_take_members(reader, value, take_member, database,
                                 "kind, dsn_file, library, flush_ms, batch, history, retention_days, adopt_ms, "
                                 "read_through, warm_start or geo");
    const char *missing = !database->kind ? "a kind" : !database->dsn_file ? "a dsn_file" : NULL;
    if (err < 0 || !missing)
        return err;
    return herd_config_fail(reader, HERD_E_SYNTAX, herd_config_at(value), "expected %s, found none", missing);
}

void herd_config_drop_database(struct herd_config_database *database)
{
    free(database->kind);
    free(database->dsn_file);
    free(database->library);
}
