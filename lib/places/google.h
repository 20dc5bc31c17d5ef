/* SPDX-License-Identifier: MIT */
/*
 * The providers on the network, as texts: what to send, and what came back. One function makes a
 * request, one classifies a reply; the transport is in lib/edge/places.
 */
#ifndef HERD_PLACES_GOOGLE_H
#define HERD_PLACES_GOOGLE_H

#include "answer.h"

#include <herd/places.h>

#define HERD_GOOGLE_LEGACY_URL "https://maps.googleapis.com/maps/api/place/nearbysearch/json"
#define HERD_GOOGLE_NEW_URL    "https://places.googleapis.com/v1/places:searchNearby"
#define HERD_OVERPASS_URL      "https://overpass-api.de/api/interpreter"

/* A reply as it came. */
struct herd_reply {
    long http_status;
    struct herd_span body;
};

enum herd_reply_verdict {
    HERD_REPLY_ANSWER, /* `out` holds the answer in the legacy shape */
    HERD_REPLY_FAILED, /* see status and why */
};

struct herd_reply_class {
    enum herd_reply_verdict verdict;
    const char *status;     /* legacy status; static */
    char why[200];          /* a sentence, never holding the key */
    bool retry;             /* the provider's documentation recommends a retry */
    bool counts_as_failure; /* the fault is the provider's, not that of the query */
    bool verbatim;          /* FAILED, but the body is itself an answer in the legacy shape */
};

/* Fills the class of a failed reply. `why` formatted. */
HERD_PRINTF(4, 5)
void herd_reply_class_fail(struct herd_reply_class *ret_class, const char *status, bool counts_as_failure,
                           const char *why, ...);
/* The class of an HTTP status other than 200, the same for all providers; `name` for the sentence. */
void herd_reply_class_http(struct herd_reply_class *ret_class, const char *name, long http_status);

/* Appends the URL with the key, which the caller wipes. HERD_E_NOMEM. */
int herd_google_legacy_url(struct herd_buf *out, const char *url, const struct herd_places_query *query,
                           struct herd_span key);
/* An answer is the body itself; *ret_shape has its parts, for herd_answer_truncate (also of a `verbatim` one). */
void herd_google_legacy_classify(const struct herd_reply *reply, struct herd_reply_class *ret_class,
                                 struct herd_answer_shape *ret_shape);

/* The field mask for "pro" (or NULL), "enterprise", or a mask of the user's own. */
const char *herd_google_new_fields(const char *fields);
/* The POST body. HERD_E_NOMEM. */
int herd_google_new_body(struct herd_buf *out, const struct herd_places_query *query);
/* Appends the translation to `out`. HERD_E_NOMEM. */
int herd_google_new_classify(const struct herd_reply *reply, const struct herd_places_query *query,
                             struct herd_buf *out, struct herd_reply_class *ret_class);

/* The tag filter when none is configured: what has a name, be it in English alone, as elements are read. */
#define HERD_OVERPASS_FILTER "[~\"^name(:en)?$\"~\".\"][~\"^(amenity|shop|tourism|leisure|office)$\"~\".\"]"
/* The POST body (application/x-www-form-urlencoded). `timeout_s` is what the server may spend. HERD_E_NOMEM. */
int herd_overpass_body(struct herd_buf *out, const struct herd_places_query *query, const char *filter,
                       unsigned timeout_s);
int herd_overpass_classify(const struct herd_reply *reply, const struct herd_places_query *query,
                           struct herd_buf *out, struct herd_reply_class *ret_class);

#endif
