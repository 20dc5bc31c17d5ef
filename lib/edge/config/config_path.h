/* SPDX-License-Identifier: MIT */
/* Paths of a configuration that servers share: each has files of its own. */
#ifndef HERD_EDGE_CONFIG_PATH_H
#define HERD_EDGE_CONFIG_PATH_H

#include <herd/types.h>

/* `text` with each "{name}" replaced, NUL-terminated in `out`. HERD_E_NOMEM. */
int herd_config_path(const char *text, const char *name, struct herd_buf *out);

#endif
