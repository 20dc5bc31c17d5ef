/* SPDX-License-Identifier: MIT */
/*
 * The log of a running server: one event a line,
 *
 *     2026-11-23T07:01:02.345678Z info peer_up peer=Jaquez address=127.0.0.1:12001
 *
 * time stamp (UTC, microseconds), level, event, key=value. Values are escaped (bytes outside
 * 0x20..0x7e become \xNN, `"` and `\` become \" and \\; a value with a space or nothing in it is
 * quoted) and capped, so that no byte from the network can forge a line or fill the disk.
 *
 * A log collects lines in memory and hands whole lines to its sink: when 64 KiB are full, when
 * herd_log_flush is called (a server does so at least once a second), and when it is freed. A file is
 * written for half the price in aligned blocks: see herd_log_set_aligned.
 * The sink is called on the thread that logs: a sink that waits delays that thread's loop. The file below can have a
 * thread of its own for that (herd_logfile_start).
 * A NULL log is silent everywhere a log is taken.
 */
#ifndef HERD_LOG_H
#define HERD_LOG_H

#include <herd/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum herd_log_level { HERD_LOG_ERROR = 1, HERD_LOG_WARN, HERD_LOG_INFO, HERD_LOG_DEBUG };

/* "error", "warn", "info", "debug"; static. */
HERD_API const char *herd_log_level_name(enum herd_log_level level);
/* 0, or HERD_E_SYNTAX. */
HERD_API int herd_log_level_parse(const char *text, enum herd_log_level *ret_level);

/* Takes whole lines, each ended by LF (blocks too, after herd_log_set_aligned); `bytes` borrowed for the call. Returns
 * 0, or a negative value: then the lines are dropped and counted, and the count is logged (`warn log_dropped lines=N`)
 * when the sink works again. It must not call the log. */
typedef int herd_log_sink(void *ctx, const char *bytes, size_t len);

struct herd_log;

struct herd_log_options {
    enum herd_log_level level; /* zero: info */
    bool traffic;              /* log every line received and sent, at level info */
    size_t field_max_bytes;    /* longest value, before escaping, that is not cut with "..."; zero: 256;
                                  greatest: 16384 */
    herd_log_sink *sink;       /* required */
    void *sink_ctx;            /* borrowed for the log's life */
};

/* HERD_E_NOMEM, HERD_E_ARG (no sink, no such level). Options are copied. */
HERD_API int herd_log_new(struct herd_log **ret_log, const struct herd_log_options *options);
/* Flushes, then frees. */
HERD_API void herd_log_free(struct herd_log *log);

/* The time that following lines carry, POSIX nanoseconds; a server sets it once per iteration of its loop. */
HERD_API void herd_log_set_time(struct herd_log *log, int64_t now_ns);
HERD_API bool herd_log_enabled(const struct herd_log *log, enum herd_log_level level);
HERD_API bool herd_log_traffic_enabled(const struct herd_log *log);
/* From now on lines up to `level` are logged, and traffic or not. HERD_E_ARG: no such level. NULL is fine. */
HERD_API int herd_log_configure(struct herd_log *log, enum herd_log_level level, bool traffic);

/* One key and its value, for herd_log_event. Exactly one of the makers below fills it. */
struct herd_log_field {
    const char *key;
    enum { HERD_LOG_SPAN, HERD_LOG_INT } kind;
    struct herd_span span;
    int64_t number;
};
HERD_API struct herd_log_field herd_log_span(const char *key, struct herd_span value);
HERD_API struct herd_log_field herd_log_text(const char *key, const char *value);
HERD_API struct herd_log_field herd_log_int(const char *key, int64_t value);

/* Logs one event. `fields` holds `count` fields, borrowed for the call. Never fails: what cannot be
 * kept is counted as dropped. `event` and keys are the program's own words, copied as they are up to
 * 64 bytes. A line holds what fits 64 KiB; fields left out are shown as "...". */
HERD_API void herd_log_event(struct herd_log *log, enum herd_log_level level, const char *event,
                             const struct herd_log_field *fields, size_t count);

/* Logs each line of `lines` (LF-ended; a last one without LF counts too) as
 * `<time> info <event> <label> line="..."`: the fast way for traffic. `label` is copied as it is and must
 * be made of key=value pairs already escaped, at most 900 bytes. Nothing is logged unless
 * herd_log_traffic_enabled(). */
HERD_API void herd_log_lines(struct herd_log *log, const char *event, struct herd_span label,
                             struct herd_span lines);

/* Logs lines that were received, as "received", and what was answered to them at once, as "sent", both as
 * herd_log_lines does. An answer that ends in all that stood behind the first word of its line (the AT line for a
 * report, "? " and the line) is not told once more but stands, up to there, beside that line:
 * `<time> info received <label> line="IAMAT a +1-1 5" sent="AT Riley +0.1 ..."`. */
HERD_API void herd_log_exchange(struct herd_log *log, struct herd_span label, struct herd_span received,
                                struct herd_span sent);

/* Hands what is collected to the sink. 0, or what the sink returned. */
HERD_API int herd_log_flush(struct herd_log *log);

/* From now on memory that is full is handed over in blocks of 64 KiB, which may end in the middle of a line
 * (the next hand-over goes on with it), so that each ends at a multiple of 64 KiB of all that the sink ever
 * took. `offset` is how much that is now: herd_logfile_offset; negative: whole lines again. herd_log_flush
 * hands over whole lines as before. After a failure in the middle of a line the sink is offered the rest of that line
 * alone; if it refuses that too, the line counts as lost. */
HERD_API void herd_log_set_aligned(struct herd_log *log, int64_t offset);

/* A file as a sink: opened for appending (created 0640), reopened on request for log rotation,
 * "-" is standard error. A full disk or a pipe that is not read costs lines: no write waits longer than
 * 100 ms where the descriptor does not block. A program that logs to a pipe ignores SIGPIPE. While much is
 * written, room on the disk is reserved ahead of the end, at most 16 MiB, and given back on closing.
 * HERD_E_NOMEM, HERD_E_IO (errno says why). */
struct herd_logfile;
HERD_API int herd_logfile_open(struct herd_logfile **ret_file, const char *path);
/* Starts a thread that writes, opens anew and waits, so that the functions below do not block. Unwritten lines are kept
 * in at most `buffer_bytes` (zero: 4 MiB), in blocks of 64 KiB; lines beyond that are refused, and the log counts them.
 * Call it before other threads use the file, and after fork. HERD_E_NOMEM (also: no thread can be started): nothing
 * has changed. */
HERD_API int herd_logfile_start(struct herd_logfile *file, size_t buffer_bytes);
/* Opens the path anew; on failure the old descriptor stays in use. HERD_E_IO. With a thread this happens after what is
 * queued is written, or at once if the old file takes nothing, and the result is logged: `info log_reopened`, or
 * `error log_reopen_failed why=...`. */
HERD_API int herd_logfile_reopen(struct herd_logfile *file);
HERD_API int herd_logfile_sink(void *file, const char *bytes, size_t len);
/* Returns the length of the file as far as this program wrote it, for herd_log_set_aligned after opening and reopening;
 * -1 for a pipe or terminal, which should get whole lines. */
HERD_API int64_t herd_logfile_offset(const struct herd_logfile *file);
/* With a thread: waits up to a second until all is written, then gives up what is not. */
HERD_API void herd_logfile_close(struct herd_logfile *file);

#ifdef __cplusplus
}
#endif
#endif
