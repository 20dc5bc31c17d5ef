/* SPDX-License-Identifier: MIT */
/*
 * The contract that holds for the whole library.
 *
 * Threads   A node, a store, a server and everything they hand out belong to one thread at a time.
 *           Different nodes may live in different threads; the library has no globals of its own.
 * Time      The core never asks for the time: callers pass a struct herd_now. Units are the last word of
 *           a name.
 * Memory    *copied*: yours again when the call returns. *borrowed until X*: do not free or change it
 *           before X. *owned*: free it with the function named. Every `_free` accepts NULL.
 * Pointers  No argument may be NULL unless its comment says so. herd_node_new, herd_store_put, herd_server_new and
 *           herd_client_new answer one with HERD_E_ARG; elsewhere what happens is not defined.
 * Errors    Functions that can fail return 0 or a positive count on success and a negative
 *           enum herd_err on failure. A `ret_` parameter is written on success only.
 * Verdicts  A malformed line or a stale report is normal traffic, answered in the protocol: it is never
 *           an error of the call that carried it.
 * Silence   The library never prints, exits, aborts in release builds, or takes a signal.
 */
#ifndef HERD_TYPES_H
#define HERD_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HERD_VERSION_MAJOR 0
#define HERD_VERSION_MINOR 1
#define HERD_VERSION_PATCH 0
#define HERD_VERSION       "0.1.0"

#if defined(__GNUC__)
#define HERD_API               __attribute__((visibility("default")))
#define HERD_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define HERD_API
#define HERD_PRINTF(fmt, args)
#endif

/* code, value, sentence: the enum and herd_strerror() are both made from this list. */
#define HERD_ERR_LIST(X)                                         \
    X(HERD_E_NOMEM, -1, "out of memory")                         \
    X(HERD_E_ARG, -2, "bad argument")                            \
    X(HERD_E_SYNTAX, -3, "not in the expected form")             \
    X(HERD_E_RANGE, -4, "out of range")                          \
    X(HERD_E_LIMIT, -5, "a configured limit is reached")         \
    X(HERD_E_EXISTS, -6, "already there")                        \
    X(HERD_E_NOTFOUND, -7, "not found")                          \
    X(HERD_E_IO, -8, "input or output failed")                   \
    X(HERD_E_ADDRESS, -9, "address cannot be resolved or bound") \
    X(HERD_E_ACCESS, -10, "not permitted")                       \
    X(HERD_E_TIMEOUT, -11, "took too long")                      \
    X(HERD_E_STATE, -12, "not possible in this state")           \
    X(HERD_E_UNSUPPORTED, -13, "not built into this library")

enum herd_err {
#define HERD_ERR_ENUM(name, value, text) name = value,
    HERD_ERR_LIST(HERD_ERR_ENUM)
#undef HERD_ERR_ENUM
};

/* A sentence for a code returned by this library; static, never NULL. */
HERD_API const char *herd_strerror(int err);

/* The version of the library that is running, as "MAJOR.MINOR.PATCH"; static. */
HERD_API const char *herd_version(void);

/*
 * What time it is, twice: `wall_ns` is POSIX nanoseconds (CLOCK_REALTIME), for stamps; `steady_ns` never
 * jumps and never goes back (CLOCK_MONOTONIC), for time-outs. Somebody setting the clock closes nothing.
 */
struct herd_now {
    int64_t wall_ns;
    int64_t steady_ns;
};

/* Borrowed bytes. Not NUL-terminated; may hold any byte. */
struct herd_span {
    const char *at;
    size_t len;
};

/* A span over a string literal or any NUL-terminated string. */
HERD_API struct herd_span herd_span_of(const char *text);
HERD_API bool herd_span_equal(struct herd_span a, struct herd_span b);
/* memcmp order, the shorter first where one is a prefix of the other: <0, 0, >0. */
HERD_API int herd_span_compare(struct herd_span a, struct herd_span b);

/*
 * Bytes that grow: zero-initialise, append, then herd_buf_fini. Appending can fail with HERD_E_NOMEM,
 * which leaves the contents as they were. Clearing (`len = 0`) keeps the memory for the next use.
 */
struct herd_buf {
    char *at;
    size_t len;
    size_t cap;
};

/* Makes room for `more` bytes behind `len`. HERD_E_NOMEM. */
HERD_API int herd_buf_reserve(struct herd_buf *buf, size_t more);
HERD_API int herd_buf_add(struct herd_buf *buf, const void *bytes, size_t len);
HERD_API int herd_buf_add_text(struct herd_buf *buf, const char *text);
HERD_API void herd_buf_fini(struct herd_buf *buf);

#ifdef __cplusplus
}
#endif
#endif
