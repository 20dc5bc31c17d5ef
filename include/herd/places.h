/* SPDX-License-Identifier: MIT */
/*
 * Places near a point: what WHATSAT asks for.
 *
 * A *provider* answers one look-up at a time, now or later. A *places* object holds a chain of providers, the first
 * healthy one answering, and everything around them: equal look-ups share one request, limits and queue, deadlines,
 * circuit breakers, the cache where a provider allows one. Every request gets an answer: JSON in the shape of
 * Google's (legacy) Nearby Search, cut to the bound, runs of LF made one, no LF at the end; a failure is an object
 * of that shape with empty `results`, a `status` and an `error_message`.
 *
 * A provider has a time-out for each look-up, waiting in its queue included; then, or when it fails, the next one
 * of the chain is asked. Failures in a row open its circuit for a while (a Retry-After decides for how long); then
 * one look-up tries it before the others follow. No proxy is used, not even from the environment; names are asked
 * of the servers in /etc/resolv.conf and of /etc/hosts. A program with providers behind HTTP has to ignore SIGPIPE.
 */
#ifndef HERD_PLACES_H
#define HERD_PLACES_H

#include <herd/config.h>
#include <herd/log.h>
#include <herd/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;

/* What is asked. The texts are exact and ready for a URL or a JSON body: decimal degrees and metres, no
 * plus sign, no exponent, no superfluous leading zero ("34.068930", "-118.445127", "0.5", "10000"). */
struct herd_places_query {
    struct herd_span lat, lon, radius;
    double lat_deg, lon_deg;
    double radius_m; /* 0..50000 */
    unsigned bound;  /* 0..20 */
};

/* A look-up handed to a provider; valid until answered or cancelled. */
struct herd_provider_call;

/* Ends a look-up with the provider's JSON (legacy shape; copied), not yet cut to the bound. */
HERD_API void herd_provider_call_answer(struct herd_provider_call *call, struct herd_span json);
/* Ends a look-up without an answer: the chain tries the next provider. `status` is the legacy status
 * (UNKNOWN_ERROR, OVER_QUERY_LIMIT, REQUEST_DENIED, INVALID_REQUEST), `why` a sentence for the client
 * and the log; both copied. */
HERD_API void herd_provider_call_fail(struct herd_provider_call *call, const char *status, const char *why);

/* A provider brought by the embedding program. All functions run on the server's loop. */
struct herd_provider {
    const char *name; /* for the log and for `origin` */
    void *ctx;
    /* Begins a look-up. `query` is borrowed until the look-up ends. It must end with exactly one of the
     * two functions above, at once or later, unless cancelled first. */
    void (*start)(void *ctx, struct herd_provider_call *call, const struct herd_places_query *query);
    /* Cancels a look-up: `call` must not be used any more, nor ended. NULL if start always ends it. */
    void (*cancel)(void *ctx, struct herd_provider_call *call);
    /* Reads data files again; on failure keep the old ones. NULL if there is nothing to read. */
    int (*reload)(void *ctx);
    /* NULL if there is nothing to free. */
    void (*free)(void *ctx);
};

struct herd_places;

/* A chain made from configuration: `providers` and the lookup limits are read, copied. `base` and `log` are
 * borrowed for the object's life. Waits for files of places, at most 20 s for all together; one that takes longer
 * is passed over until it has been read. HERD_E_NOMEM; HERD_E_IO, HERD_E_ACCESS, HERD_E_SYNTAX, HERD_E_RANGE,
 * HERD_E_TIMEOUT (none can be used, the first for a file that takes too long), HERD_E_UNSUPPORTED with a sentence
 * in *reterr_diagnostic (a key file that others can read, a places file that is wrong, with its line). */
HERD_API int herd_places_new(struct herd_places **ret_places, struct event_base *base,
                             const struct herd_config *config, struct herd_log *log,
                             struct herd_diagnostic *reterr_diagnostic);
/* What herd_places_check found at `provider`, an index into the configuration's providers: err < 0, it cannot be
 * used; err == 0, it can, and yet the operator should know. `message` is one sentence that names the file or the
 * variable and never a key; borrowed for the call. */
typedef void herd_places_finding(void *ctx, size_t provider, int err, const char *message);
/* Opens, reads and checks what the providers of a configuration name (key files and variables, trust roots, files
 * of places), without a loop and without a network. `on_finding` runs for each thing found (NULL: not wanted).
 * 0: every provider can be used; else the error of the first that cannot: HERD_E_NOMEM, HERD_E_IO, HERD_E_ACCESS,
 * HERD_E_SYNTAX, HERD_E_RANGE, HERD_E_LIMIT. Takes as long as reading the files takes. */
HERD_API int herd_places_check(const struct herd_config *config, herd_places_finding *on_finding, void *ctx);
/* Puts a provider of the program's own in front of the chain; `provider` and its name are copied. It has five
 * seconds for a look-up. HERD_E_NOMEM. */
HERD_API int herd_places_prepend(struct herd_places *places, const struct herd_provider *provider);
/* Takes the limits of look-ups (lookups_max, lookup_queue_max, lookup_reply_max_bytes) from now on. */
HERD_API void herd_places_configure(struct herd_places *places, const struct herd_limits *limits);
/* True if no look-up is under way: then freeing leaves no request without an answer. */
HERD_API bool herd_places_idle(const struct herd_places *places);
/* Cancels every look-up without answering, then frees. Not from inside an answer. If a host name was being
 * resolved, some memory is freed in the loop's next iteration. */
HERD_API void herd_places_free(struct herd_places *places);
/* Every provider reads its data again (SIGHUP): keys at once, files in a thread of their own while the old
 * points go on answering. What fails is logged and keeps its old data. */
HERD_API void herd_places_reload(struct herd_places *places);

/* The answer: `json` borrowed for the call, final, never empty. `origin` names the provider, "none" where no
 * provider gave it. Runs from inside herd_places_lookup when the answer is there at once (then *ret_request is
 * NULL). May ask and cancel, not free. */
typedef void herd_places_answer(void *ctx, struct herd_span json, const char *origin);

/* A request under way. */
struct herd_places_request;

/* Asks. `query` is copied. HERD_E_NOMEM: no answer will come. */
HERD_API int herd_places_lookup(struct herd_places *places, const struct herd_places_query *query,
                                herd_places_answer *answer, void *ctx, struct herd_places_request **ret_request);
/* Cancels a request: its `answer` will not run. NULL is fine. */
HERD_API void herd_places_cancel(struct herd_places_request *request);

#ifdef __cplusplus
}
#endif
#endif
