/* SPDX-License-Identifier: MIT */
/* What servers of a herd say of themselves, asked over HTTP. */
#ifndef HERD_BIN_STATUS_H
#define HERD_BIN_STATUS_H

#include <herd/herd.h>

/* Asks server `name`, or all (NULL), and prints a table. With `verify` it asks again for up to three seconds until all that
 * were asked are up, have their links and hold the same state. Returns whether they do: without `verify` the first answer
 * decides. */
bool status_print(const struct herd_config *config, const char *name, bool verify);

#endif
