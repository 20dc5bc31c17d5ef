/* SPDX-License-Identifier: MIT */
/* The fences of a server: those of a file, as the configuration says, and those that are set while it runs. */
#ifndef HERD_EDGE_SERVER_FENCES_H
#define HERD_EDGE_SERVER_FENCES_H

#include <herd/config.h>
#include <herd/geojson.h>

struct herd_server;

/* A file of fences that was read. */
struct herd_fence_file;

/* Reads and checks the file of a configuration that has one. HERD_E_IO, HERD_E_ACCESS (others may write it), HERD_E_SYNTAX,
 * HERD_E_RANGE, HERD_E_LIMIT (limits.fences_max), HERD_E_EXISTS (a name that is there twice), HERD_E_NOMEM; each with a
 * sentence, which names the file, in *reterr_diagnostic. */
int herd_fence_file_read(struct herd_fence_file **ret_file, const struct herd_config *config,
                         struct herd_diagnostic *reterr_diagnostic);
/* NULL is fine. */
void herd_fence_file_free(struct herd_fence_file *file);

/* The fences of a file, which is the server's from then on, come in place of those of the file before; NULL: of none. Those
 * that are as they were stay as they are, with all they remember. What the area refuses is logged. */
void herd_server_fences_replace(struct herd_server *server, struct herd_fence_file *file);
/* At the start: reads, and sets them up. Errors as above. */
int herd_server_fences_open(struct herd_server *server, struct herd_diagnostic *reterr_diagnostic);
/* Reads the file anew; what is wrong with it is logged, and then all stays as it was. */
void herd_server_fences_reread(struct herd_server *server);

/* Sets up a fence; its shape is the server's on success. HERD_E_STATE: there is no area; HERD_E_LIMIT: limits.fences_max too;
 * else what herd_area_fence_set says. */
int herd_server_fence_set(struct herd_server *server, struct herd_span name, struct herd_shape *shape,
                          const struct herd_fence_options *options);

#endif
