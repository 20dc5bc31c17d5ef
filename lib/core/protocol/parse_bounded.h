/* SPDX-License-Identifier: MIT */
/* The public parsers for lines that lie in a larger read: `readable_end` as in digits.h. */
#ifndef HERD_CORE_PARSE_BOUNDED_H
#define HERD_CORE_PARSE_BOUNDED_H

#include <herd/geo.h>
#include <herd/protocol.h>
#include <herd/timestamp.h>

int herd_position_parse_bounded(struct herd_span text, const char *readable_end,
                                struct herd_position *ret_position);
int herd_timestamp_parse_bounded(struct herd_span text, const char *readable_end, int64_t *ret_ns);
/* Reads an IAMAT or AT line of the usual form; false: herd_command_parse has to decide what it is. The byte
 * behind the line must be its LF, or white space. */
bool herd_line_parse_fast(struct herd_span line, const char *readable_end, struct herd_command *ret_command);
/* The three fields of a report: HERD_IAMAT with id, position, time and time_ns set, or HERD_INVALID. */
enum herd_verb herd_report_parse(struct herd_span id, struct herd_span position, struct herd_span time,
                                 struct herd_command *ret_command);
enum herd_verb herd_command_parse_bounded(struct herd_span line, const char *readable_end,
                                          struct herd_command *ret_command);

#endif
