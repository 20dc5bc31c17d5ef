/* SPDX-License-Identifier: MIT */
/* A library that has an adapter, or what is none: built once for each VARIANT of tests/edge/adapter.c. */
#include <herd/database.h>

#define GOOD    1
#define SYMBOL  2 /* there is none */
#define NOTHING 3 /* it points nowhere */
#define VERSION 4
#define KIND    5

struct herd_database {
    char dsn[64];
};

static struct herd_database made;

static int open_database(struct herd_database **ret_database, struct event_base *base,
                         const struct herd_database_options *options, const struct herd_database_events *events,
                         void *ctx, struct herd_diagnostic *reterr_diagnostic)
{
    (void)base;
    (void)events;
    (void)ctx;
    if (options->dsn.len >= sizeof made.dsn)
        return HERD_E_NOMEM;
    for (size_t i = 0; i < options->dsn.len; i++)
        made.dsn[i] = options->dsn.at[i];
    made.dsn[options->dsn.len] = '\0';
    if (made.dsn[0] == 'x')
        return HERD_E_SYNTAX; /* without a word */
    if (made.dsn[0] == 'y') {
        *reterr_diagnostic = (struct herd_diagnostic){.message = "there is no y"};
        return HERD_E_SYNTAX;
    }
    *ret_database = &made;
    return 0;
}

static void close_database(struct herd_database *database)
{
    (void)database;
}

static const struct herd_database_driver driver = {
    .version = VARIANT == VERSION ? HERD_DATABASE_VERSION + 1 : HERD_DATABASE_VERSION,
    .kind = VARIANT == KIND ? "other" : "mine",
    .open = open_database,
    .close = close_database,
};

#if VARIANT == SYMBOL
extern const struct herd_database_driver *const herd_database_driver_of_another_name;
const struct herd_database_driver *const herd_database_driver_of_another_name = &driver;
#else
extern const struct herd_database_driver *const herd_database_driver_1;
const struct herd_database_driver *const herd_database_driver_1 = VARIANT == NOTHING ? (void *)0 : &driver;
#endif
