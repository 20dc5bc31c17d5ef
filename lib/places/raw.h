/* SPDX-License-Identifier: MIT */
/*
 * JSON read in place. Answers of providers are passed on byte for byte, so what is wanted here is not a
 * tree but a strict check and spans into the text: strings keep their escapes, numbers their digits.
 * General parsers are more lenient than the clients behind us (single quotes, NaN, raw control
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
int herd_raw_check(struct herd_span text, struct herd_raw_fault *reterr_fault);

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
/* The inside of a string, escapes kept; an empty span for anything else. */
struct herd_span herd_raw_inside(struct herd_span string);
/* A member that is a string and not empty: its inside, escapes kept. */
struct herd_span herd_raw_text(struct herd_span object, const char *name);

/* Appends bytes as the inside of a JSON string: escaped where needed; what is not UTF-8 becomes
 * U+FFFD. HERD_E_NOMEM. */
int herd_raw_escape(struct herd_buf *out, struct herd_span bytes);
/* The first byte of a string's inside that is not an ordinary ASCII character: a quote, a backslash, a control
 * character, or the start of something longer. `end` where there is none. */
const char *herd_raw_plain_end(const char *at, const char *end);
/* The first byte that is not white space. `end` where there is none. */
const char *herd_raw_space_end(const char *at, const char *end);
/* Length of the UTF-8 sequence at the start of the bytes, 0 where there is none. */
size_t herd_utf8_len(struct herd_span bytes);

#endif
