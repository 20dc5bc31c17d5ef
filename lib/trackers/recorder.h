/* SPDX-License-Identifier: MIT */
/* Records in the shape of OwnTracks Recorder's API, for programs that read that. */
#ifndef HERD_TRACKERS_RECORDER_H
#define HERD_TRACKERS_RECORDER_H

#include <herd/store.h>
#include <herd/types.h>

/* USER and DEVICE of an id, with the escapes of client_id.h. An id without '/' is a user without a device. */
void herd_recorder_split(struct herd_span id, struct herd_span *ret_user, struct herd_span *ret_device);
/* Appends a part as a JSON string, its escapes undone. HERD_E_NOMEM. */
int herd_recorder_put_name(struct herd_buf *out, struct herd_span part);
/* Appends `before`, and a coordinate or stamp as a JSON number: no plus, no zero in front of other digits. HERD_E_NOMEM. */
int herd_recorder_put_number(struct herd_buf *out, const char *before, struct herd_span digits);
/* Appends an object of `_type` location: username, device, topic, tid, tst, lat, lon. HERD_E_NOMEM: what was appended is cut
 * off by the caller. */
int herd_recorder_put_location(struct herd_buf *out, const struct herd_record *record);

#endif
