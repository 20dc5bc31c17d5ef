/* SPDX-License-Identifier: MIT */
/* Walks a JSON text beside the tree that json-c makes of it. */
#ifndef HERD_EDGE_JSON_SCAN_H
#define HERD_EDGE_JSON_SCAN_H

#include "config_reader.h"

/* Checks the reader's text byte by byte against RFC 8259, and against what a configuration cannot hold:
 * null, NUL, more than HERD_CONFIG_DEPTH_MAX levels, anything but an object at the top.
 * HERD_E_SYNTAX with the fault. */
int herd_json_scan_check(struct herd_config_reader *reader);
/* Marks every value of `tree`, made of the reader's checked text, with its offset. HERD_E_SYNTAX with
 * the fault for a member given twice; HERD_E_NOMEM, also for a tree that lost a value for want of it. */
int herd_json_mark(struct herd_config_reader *reader, struct json_object *tree);

#endif
