/* SPDX-License-Identifier: MIT */
/* An adapter for a kind of database, found and opened: of the program, or of a library that is loaded. */
#ifndef HERD_EDGE_DATABASE_ADAPTER_H
#define HERD_EDGE_DATABASE_ADAPTER_H

#include <herd/config.h>
#include <herd/database.h>

/* The driver of a configuration's database. A library that was loaded stays loaded: threads and timers of it may be
 * there a moment longer. HERD_E_UNSUPPORTED, with a message: there is no such library, or it is of another version. */
int herd_adapter_find(const struct herd_config_database *config, const struct herd_database_driver **ret_driver,
                      struct herd_diagnostic *reterr_diagnostic);
/* Reads the DSN and opens the database with it; nothing is connected. HERD_E_IO, HERD_E_ACCESS (others can read the file),
 * what `open` says; all with a message that has nothing of the DSN. HERD_E_NOMEM. */
int herd_adapter_open(const struct herd_config_database *config, const char *herd,
                      const struct herd_database_driver *driver, struct event_base *base,
                      const struct herd_database_events *events, void *ctx, struct herd_database **ret_database,
                      struct herd_diagnostic *reterr_diagnostic);

#endif
