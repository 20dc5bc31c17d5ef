/* SPDX-License-Identifier: MIT */
/* The public parsers for lines that lie in a larger read: `limit` as in digits.h. */
#ifndef HERD_CORE_READ_H
#define HERD_CORE_READ_H

#include <herd/geo.h>
#include <herd/protocol.h>
#include <herd/stamp.h>

int herd_place_read(struct herd_span text, const char *limit, struct herd_place *ret_place);
int herd_stamp_read(struct herd_span text, const char *limit, int64_t *ret_ns);
/* Reads an IAMAT or AT line of the usual form; false: herd_command_parse has to decide what it is. The byte
 * behind the line must be its LF, or white space. */
bool herd_report_read(struct herd_span line, const char *limit, struct herd_command *ret_command);
/* The three fields of a report: HERD_IAMAT with id, place, time and time_ns set, or HERD_INVALID. */
enum herd_verb herd_report_parse(struct herd_span id, struct herd_span place, struct herd_span time,
                                 struct herd_command *ret_command);
enum herd_verb herd_command_read(struct herd_span line, const char *limit, struct herd_command *ret_command);

#endif
