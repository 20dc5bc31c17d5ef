/* SPDX-License-Identifier: MIT */
/* What servers of a herd say of themselves, asked over HTTP. */
#ifndef HERD_BIN_STATUS_H
#define HERD_BIN_STATUS_H

#include <herd/herd.h>

enum status {
    STATUS_WELL,   /* all that were asked are up, have their links and hold the same state */
    STATUS_UNWELL, /* they do not, or memory was short */
    STATUS_REFUSED, /* a server does not tell: the token lacks the right; or the token could not be read, and nobody was asked */
};

/* Asks server `name`, or all (NULL), and prints a table. With `verify` it asks again for up to three seconds until all is
 * well, or one refuses; without it the first answers decide. */
enum status status_print(const struct herd_config *config, const char *name, bool verify);

#endif
