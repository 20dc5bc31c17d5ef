/* SPDX-License-Identifier: MIT */
/*
 * JSON read in place. Answers of providers are passed on byte for byte, so what is wanted here is not a
 * tree but a strict check and spans into the text: strings keep their escapes, numbers their digits.
 * General parsers are more lenient than those of clients (single quotes, NaN, raw control
 * characters, lone surrogates): what passes herd_raw_check is taken by every parser there is.
 */
#ifndef HERD_PLACES_RAW_H
#define HERD_PLACES_RAW_H

#include <herd/types.h>

/* Deeper nesting is refused: Google's answers are six deep, GeoJSON polygons five. */
#define HERD_RAW_DEPTH_MAX 60

struct herd_raw_fault {
    size_t offset;
    const char *what; /* static */
};

/* One RFC 8259 text, all of it: UTF-8, no lone surrogate, no NUL, depth capped. HERD_E_SYNTAX. */
int herd_raw_check(struct herd_span text, struct herd_raw_fault *reterr_diagnostic);

/*
 * The same check piece by piece, for callers that need positions without a second pass over the text:
 *
 *     for (more = open(s, '{'); more; more = next(s))
 *         key(s, &key), then value(s), or open(s, '[') and a loop of its own
 *     end(s)
 *
 * A fault is sticky: it ends every loop, and herd_raw_scan_end returns it.
 */
struct herd_raw_scan {
    const char *begin, *at, *end;
    const char *what; /* static; NULL: no fault so far */
    unsigned depth;
    uint64_t objects; /* which of the open containers are objects: one bit each, the innermost lowest */
};

struct herd_raw_scan herd_raw_scan(struct herd_span text);
/* The first byte of what comes next, white space skipped; 0 at the end of the text. */
char herd_raw_scan_peek(struct herd_raw_scan *s);
/* Enters an object or array; true if there is anything in it. */
bool herd_raw_scan_open(struct herd_raw_scan *s, char bracket);
/* Behind a value: true if the container goes on, false if it was closed, or at a fault. */
bool herd_raw_scan_next(struct herd_raw_scan *s);
/* A member's name, with its quotes, and the colon behind it. */
bool herd_raw_scan_key(struct herd_raw_scan *s, struct herd_span *ret_key);
/* Any value with all that is in it. */
bool herd_raw_scan_value(struct herd_raw_scan *s, struct herd_span *ret_value);
/* Nothing but white space may follow. HERD_E_SYNTAX with the first fault. */
int herd_raw_scan_end(struct herd_raw_scan *s, struct herd_raw_fault *reterr_diagnostic);

/* Everything below takes text that passed herd_raw_check, or a value inside such a text. */

/* Without the white space around it. */
struct herd_span herd_raw_trim(struct herd_span text);

/* '{' '[' '"' 't' 'f' 'n', or '0' for a number; 0 for an empty span. */
char herd_raw_kind(struct herd_span value);

struct herd_raw_walk {
    const char *at, *end;
};
/* Begins a walk over an object's members or an array's elements; anything else has none. */
struct herd_raw_walk herd_raw_walk(struct herd_span value);
/* The next member; false at the end. The key keeps its quotes and escapes. */
bool herd_raw_member(struct herd_raw_walk *io_walk, struct herd_span *ret_key, struct herd_span *ret_value);
bool herd_raw_element(struct herd_raw_walk *io_walk, struct herd_span *ret_value);

/* Is this string (with its quotes) the text `name`, whatever the escapes? */
bool herd_raw_is(struct herd_span string, const char *name);
/* The first member of that name. False (and an empty span) where there is none. */
bool herd_raw_get(struct herd_span object, const char *name, struct herd_span *ret_value);
/* The same, and how many members of that name there are: of two, one parser takes the first and the next one the
 * last, so a caller that has to agree with the sender requires one. */
size_t herd_raw_count(struct herd_span object, const char *name, struct herd_span *ret_value);
/* The inside of a string, escapes kept; an empty span for anything else. */
struct herd_span herd_raw_inside(struct herd_span string);
/* The text that the inside of a checked string stands for, escapes replaced, up to `cap` bytes and never half a
 * character. Returns its length. */
size_t herd_raw_decode(struct herd_span inside, char *out, size_t cap);
/* A member that is a string and not empty: its inside, escapes kept. */
struct herd_span herd_raw_text(struct herd_span object, const char *name);

/* Appends bytes as the inside of a JSON string: escaped where needed; what is not UTF-8 becomes
 * U+FFFD. HERD_E_NOMEM. */
int herd_raw_escape(struct herd_buf *out, struct herd_span bytes);
/* Length of the UTF-8 sequence at the start of the bytes, 0 where there is none. */
size_t herd_utf8_len(struct herd_span bytes);

#endif
