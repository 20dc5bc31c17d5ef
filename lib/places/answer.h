/* SPDX-License-Identifier: MIT */
/*
 * Answers in the shape of Google's (legacy) Nearby Search: checks and truncates those of providers, writes those of
 * this library. All of it is text to text.
 */
#ifndef HERD_PLACES_ANSWER_H
#define HERD_PLACES_ANSWER_H

#include <herd/types.h>

#define HERD_ANSWER_ENDS 20 /* no bound of the protocol is greater */

/* The top level of an answer; spans into the answer, inside of strings with escapes kept. */
struct herd_answer_shape {
    struct herd_span status, message;
    struct herd_span results; /* the array with its brackets; at == NULL: there is none */
    size_t result_count;
    const char *result_ends[HERD_ANSWER_ENDS]; /* behind each of the first of them */
};

/* Checks that the answer is one JSON object that every parser takes, and finds its parts. HERD_E_SYNTAX with a
 * sentence and the place in reterr_why (`why_cap` bytes, always ended by NUL). */
int herd_answer_read(struct herd_span json, struct herd_answer_shape *ret_shape, char *reterr_why, size_t why_cap);

/* Appends the answer with results beyond `bound` cut out, runs of LF made one and trailing LF left out;
 * every other byte as it was. `shape` is what herd_answer_read found. HERD_E_NOMEM. */
int herd_answer_truncate(struct herd_buf *out, struct herd_span json, const struct herd_answer_shape *shape,
                         unsigned bound);

/* Appends an answer without results, with the reason as its error_message. `status` is one of Google's; `why` any bytes, escaped here.
 * HERD_E_NOMEM. */
int herd_answer_failure(struct herd_buf *out, const char *status, struct herd_span why);

/* One place to be written. All members are the insides of JSON strings, or JSON values where said;
 * empty ones are left out (an empty `types` or `attributions` is written as an empty array). */
struct herd_answer_place {
    struct herd_span lat, lng;    /* numbers */
    struct herd_span viewport[4]; /* numbers: north-east lat, lng, south-west lat, lng; all or none */
    struct herd_span name, place_id, vicinity, business_status, icon;
    struct herd_span types;                                             /* the inside of an array */
    struct herd_span open_now, price_level, rating, user_ratings_total; /* values */
    struct herd_span compound_code, global_code;
};

/* An answer being written; `err` is sticky, so only herd_answer_end checks it. */
struct herd_answer_writer {
    struct herd_buf *out;
    size_t count;
    int err;
};

/* `attributions`: the inside of an array. */
void herd_answer_begin(struct herd_answer_writer *w, struct herd_buf *out, struct herd_span attributions);
void herd_answer_add(struct herd_answer_writer *w, const struct herd_answer_place *place);
/* Status OK or ZERO_RESULTS; `found`: there was a result before the bound was applied.
 * HERD_E_NOMEM. */
int herd_answer_end(struct herd_answer_writer *w, bool found);

#endif
