/* SPDX-License-Identifier: MIT */
/*
 * Ids of clients made of names that apps and people chose. An id has no white space, so a byte of a name that is white
 * space or '%' is written as %XX. OwnTracks names a user and a device, the id is USER/DEVICE, and a '/' in either is
 * written as %2F: different names are different ids.
 */
#ifndef HERD_TRACKERS_CLIENT_ID_H
#define HERD_TRACKERS_CLIENT_ID_H

#include <herd/types.h>

enum herd_client_id_slash {
    HERD_CLIENT_ID_SLASH,  /* stays: the name may be of the form USER/DEVICE itself */
    HERD_CLIENT_ID_ESCAPE, /* of a part */
};

/* Appends a name, up to `max` bytes of *out. HERD_E_SYNTAX: it holds a NUL. HERD_E_LIMIT: longer than `max`. HERD_E_NOMEM.
 * After an error *out is as it was. */
int herd_client_id_add(struct herd_buf *out, struct herd_span name, enum herd_client_id_slash slash, size_t max);

#endif
