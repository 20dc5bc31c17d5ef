/* SPDX-License-Identifier: MIT */
/* Files with keys and certificates in them, read whole. Compiled without OpenSSL too. */
#ifndef HERD_EDGE_TLS_FILE_H
#define HERD_EDGE_TLS_FILE_H

#include "tls.h"

/* Sets both members of *fault. */
void herd_tls_fail(struct herd_tls_fault *fault, const char *event, const char *form, ...) HERD_PRINTF(3, 4);
/* Reads a regular file of at most 16 MiB into `out`; refuses one that others can write. `secret`: or read. HERD_E_IO,
 * HERD_E_ACCESS with *reterr_diagnostic; HERD_E_NOMEM. */
int herd_tls_file_read(const char *path, bool secret, struct herd_buf *out,
                       struct herd_tls_fault *reterr_diagnostic);

#endif
