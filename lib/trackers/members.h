/* SPDX-License-Identifier: MIT */
/*
 * The members of a JSON object that somebody wants, strictly: the text is RFC 8259, and a wanted member that is there
 * twice is a fault, because of two one parser takes the first and the next one the last. Members nobody asked for are
 * skipped. Nothing is allocated; values are spans of the text, numbers with their digits.
 *
 *     struct herd_json_member members[] = {{.name = "lat"}, {.name = "lon"}};
 *     err = herd_json_read(text, members, 2, &message);
 */
#ifndef HERD_TRACKERS_MEMBERS_H
#define HERD_TRACKERS_MEMBERS_H

#include <herd/types.h>

struct herd_json_member {
    const char *name;       /* not empty; ASCII, without quote, backslash or control character */
    struct herd_span value; /* set on success; {NULL, 0}: not there, or null */
    bool seen;              /* while reading */
};

/* Checks all of `text` and reads its object. HERD_E_SYNTAX with a static sentence: not JSON, not an object, or a member
 * twice. */
int herd_json_read(struct herd_span text, struct herd_json_member *io_members, size_t count,
                   const char **reterr_message);
/* The same, and HERD_E_RANGE where there is a member that nobody asked for: it may be one that is misspelt. */
int herd_json_read_only(struct herd_span text, struct herd_json_member *io_members, size_t count,
                        const char **reterr_message);
/* The same as herd_json_read of a value inside a text that was checked. HERD_E_SYNTAX: not an object, or a member twice. */
int herd_json_read_inside(struct herd_span value, struct herd_json_member *io_members, size_t count);

/* The digits of a number, or what a string stands for; that is written to `room` only where the string has escapes.
 * HERD_E_SYNTAX: another kind of value, or none. HERD_E_LIMIT: an escaped string longer than `cap`. */
int herd_json_scalar(struct herd_span value, char *room, size_t cap, struct herd_span *ret_text);

#endif
