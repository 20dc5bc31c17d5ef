/* SPDX-License-Identifier: MIT */
/*
 * Lines of the log, made in memory and handed on in bulk. Traffic is the hot path: what all lines of one
 * read have in common (time, event, label) is made once, a line costs two copies and no call outside.
 */
#include <herd/log.h>

#include "../../core/base/print.h"
#include "escape.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    FULL_BYTES = 65536,         /* so much is handed to the sink at once */
    PREFIX_MAX_BYTES = 1024,    /* time, level, event and label */
    NAME_MAX_BYTES = 64,        /* an event's or a key's name */
    FIELD_STANDARD_BYTES = 256, /* a value, before escaping */
    FIELD_GREATEST_BYTES = 16384,
    STAMP_BYTES = 28,     /* "2026-11-23T07:01:02.345678Z " */
    INT_MAX_BYTES = 20,   /* "-9223372036854775808" */
    WORD_MAX_BYTES = 16,  /* the first word of a line that is answered with the rest of it */
    SHARED_MIN_BYTES = 3, /* what an answer repeats of its line, to be left out */
    OWN_MAX_BYTES = 128,  /* what it says beside */
};

/* The longest tail of a line that follows its prefix: an escaped value, its dots and its end; or such a value and what
 * was answered. */
#define VALUE_ROOM(field_max)                                                                                      \
    (((field_max) + OWN_MAX_BYTES) * HERD_ESCAPE_GROWTH + sizeof " =\"...\" sent=\"...\" ...\n" + NAME_MAX_BYTES + \
     INT_MAX_BYTES)

struct herd_log {
    struct herd_log_options options;
    char *at; /* whole lines, between calls; after a block the first may be the rest of one */
    size_t len, cap;
    size_t room;      /* bytes collected before they go to the sink */
    bool aligned;     /* room ends where a block of the sink ends */
    bool in_line;     /* what was handed over last ends in the middle of a line */
    uint64_t dropped; /* lost since the sink last worked */
    int64_t now_ns;
    int64_t stamp_us, stamp_s, stamp_day; /* what `timestamp` shows */
    char timestamp[STAMP_BYTES];
};

static const char *const level_names[] = {"", "error", "warn", "info", "debug"};

const char *herd_log_level_name(enum herd_log_level level)
{
    return level >= HERD_LOG_ERROR && level <= HERD_LOG_DEBUG ? level_names[level] : "unknown";
}

int herd_log_level_parse(const char *text, enum herd_log_level *ret_level)
{
    for (int level = HERD_LOG_ERROR; level <= HERD_LOG_DEBUG; level++) {
        if (strcmp(text, level_names[level]) == 0) {
            *ret_level = (enum herd_log_level)level;
            return 0;
        }
    }
    return HERD_E_SYNTAX;
}

/* Writes the lowest `digits` decimal digits of `value`. */
static void put_digits(char *to, int64_t value, int digits)
{
    while (digits--) {
        to[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970-01-01 as a date of the Gregorian calendar. The year is counted from 1 March, so that
 * the leap day is its last, and in eras of 400 years, after which the calendar repeats. */
static void put_date(char *to, int64_t day)
{
    int64_t since_era0 = day + 719468; /* 0000-03-01 */
    int64_t era = floor_div(since_era0, 146097);
    int64_t of_era = since_era0 - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * of_year + 2) / 153;
    int64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
    put_digits(to, year_of_era + era * 400 + (month <= 2), 4);
    put_digits(to + 5, month, 2);
    put_digits(to + 8, of_year - (153 * march_month + 2) / 5 + 1, 2);
}

/* Updates the formatted time; only the parts that changed are formatted again. */
static void timestamp_update(struct herd_log *log)
{
    int64_t us = floor_div(log->now_ns, 1000);
    if (us == log->stamp_us)
        return;
    int64_t s = floor_div(us, 1000000);
    if (s != log->stamp_s) {
        int64_t day = floor_div(s, 86400), of_day = s - day * 86400;
        if (day != log->stamp_day)
            put_date(log->timestamp, day);
        put_digits(log->timestamp + 11, of_day / 3600, 2);
        put_digits(log->timestamp + 14, of_day / 60 % 60, 2);
        put_digits(log->timestamp + 17, of_day % 60, 2);
        log->stamp_day = day;
        log->stamp_s = s;
    }
    herd_put8(log->timestamp + 20, (uint32_t)(us - s * 1000000) * 100);
    memcpy(log->timestamp + 26, "Z ", 2); /* over the last two of eight digits */
    log->stamp_us = us;
}

int herd_log_new(struct herd_log **ret_log, const struct herd_log_options *options)
{
    if (!options || !options->sink || options->level > HERD_LOG_DEBUG)
        return HERD_E_ARG;
    struct herd_log *log = calloc(1, sizeof *log);
    if (!log)
        return HERD_E_NOMEM;
    log->options = *options;
    if (!log->options.level)
        log->options.level = HERD_LOG_INFO;
    if (!log->options.field_max_bytes)
        log->options.field_max_bytes = FIELD_STANDARD_BYTES;
    if (log->options.field_max_bytes > FIELD_GREATEST_BYTES)
        log->options.field_max_bytes = FIELD_GREATEST_BYTES;
    /* A line may begin while less than FULL_BYTES are collected, and then always fits. */
    log->cap = FULL_BYTES + PREFIX_MAX_BYTES + VALUE_ROOM(log->options.field_max_bytes);
    log->at = malloc(log->cap);
    if (!log->at) {
        free(log);
        return HERD_E_NOMEM;
    }
    log->room = FULL_BYTES;
    memcpy(log->timestamp, "1970-01-01T00:00:00.000000Z ", STAMP_BYTES);
    *ret_log = log;
    return 0;
}

void herd_log_free(struct herd_log *log)
{
    if (!log)
        return;
    herd_log_flush(log);
    free(log->at);
    free(log);
}

void herd_log_set_time(struct herd_log *log, int64_t now_ns)
{
    if (log)
        log->now_ns = now_ns;
}

bool herd_log_enabled(const struct herd_log *log, enum herd_log_level level)
{
    return log && level >= HERD_LOG_ERROR && level <= log->options.level;
}

bool herd_log_traffic_enabled(const struct herd_log *log)
{
    return log && log->options.traffic && log->options.level >= HERD_LOG_INFO;
}

int herd_log_configure(struct herd_log *log, enum herd_log_level level, bool traffic)
{
    if (level < HERD_LOG_ERROR || level > HERD_LOG_DEBUG)
        return HERD_E_ARG;
    if (log) {
        log->options.level = level;
        log->options.traffic = traffic;
    }
    return 0;
}

struct herd_log_field herd_log_span(const char *key, struct herd_span value)
{
    return (struct herd_log_field){.key = key, .kind = HERD_LOG_SPAN, .span = value};
}

struct herd_log_field herd_log_text(const char *key, const char *value)
{
    return herd_log_span(key, herd_span_of(value ? value : ""));
}

struct herd_log_field herd_log_int(const char *key, int64_t value)
{
    return (struct herd_log_field){.key = key, .kind = HERD_LOG_INT, .number = value};
}

static char *put_bytes(char *to, const char *from, size_t len)
{
    memcpy(to, from, len);
    return to + len;
}

static char *put_name(char *to, const char *name)
{
    size_t len = strlen(name);
    return put_bytes(to, name, len < NAME_MAX_BYTES ? len : NAME_MAX_BYTES);
}

static char *put_int(char *to, int64_t value)
{
    char text[INT_MAX_BYTES];
    char *at = text + sizeof text;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        *--at = '-';
    return put_bytes(to, at, (size_t)(text + sizeof text - at));
}

static char *put_value(const struct herd_log *log, char *to, struct herd_span value)
{
    size_t most = log->options.field_max_bytes;
    to += herd_escape_copy(to, value.at, value.len < most ? value.len : most);
    return value.len > most ? put_bytes(to, "...", 3) : to;
}

/* Writes time, level and event: the beginning of every line. */
static char *put_head(struct herd_log *log, char *to, enum herd_log_level level, const char *event)
{
    timestamp_update(log);
    to = put_bytes(to, log->timestamp, STAMP_BYTES);
    to = put_name(to, herd_log_level_name(level));
    *to++ = ' ';
    return put_name(to, event);
}

static char *put_field(const struct herd_log *log, char *to, const struct herd_log_field *field)
{
    *to++ = ' ';
    to = put_name(to, field->key);
    *to++ = '=';
    if (field->kind == HERD_LOG_INT)
        return put_int(to, field->number);
    bool quoted = field->span.len == 0 || memchr(field->span.at, ' ', field->span.len);
    if (quoted)
        *to++ = '"';
    to = put_value(log, to, field->span);
    if (quoted)
        *to++ = '"';
    return to;
}

/* Of lines that are whole. */
static uint64_t count_lines(const char *at, size_t len)
{
    uint64_t lines = 0;
    for (; len > 0; lines++) {
        const char *lf = memchr(at, '\n', len);
        assert(lf);
        len -= (size_t)(lf + 1 - at);
        at = lf + 1;
    }
    return lines;
}

/* Where the line ends that byte `from` of what is collected belongs to. */
static size_t line_end(const struct herd_log *log, size_t from)
{
    const char *lf = memchr(log->at + from, '\n', log->len - from);
    return (size_t)(lf + 1 - log->at);
}

static int hand_to_sink(struct herd_log *log, const char *bytes, size_t len)
{
    int err = log->options.sink(log->options.sink_ctx, bytes, len);
    if (err < 0)
        return err;
    if (log->aligned)
        log->room = FULL_BYTES - (FULL_BYTES - log->room + len) % FULL_BYTES;
    return 0;
}

/* Writes how many lines were lost, once the sink takes lines again. */
static int log_dropped(struct herd_log *log)
{
    char line[STAMP_BYTES + 2 * NAME_MAX_BYTES];
    char *to = put_head(log, line, HERD_LOG_WARN, "log_dropped");
    struct herd_log_field field = herd_log_int("lines", (int64_t)log->dropped); /* nobody logs 2^63 lines */
    to = put_field(log, to, &field);
    *to++ = '\n';
    int err = hand_to_sink(log, line, (size_t)(to - line));
    if (err >= 0)
        log->dropped = 0;
    return err;
}

/* Passes the first `len` bytes to the sink; what it does not take is lost. */
static int hand_over(struct herd_log *log, size_t len)
{
    int err = log->dropped ? log_dropped(log) : 0;
    if (err >= 0 && len > 0)
        err = hand_to_sink(log, log->at, len);
    if (err < 0) {
        /* Whole lines follow: the rest of a line that was cut goes with it, and is lost unless the sink, which has
         * its beginning, takes it alone. */
        size_t kept = 0;
        if (len > 0 && log->at[len - 1] != '\n')
            len = line_end(log, len);
        if (log->in_line) {
            kept = line_end(log, 0);
            if (hand_to_sink(log, log->at, kept) < 0)
                kept = 0;
        }
        log->dropped += count_lines(log->at + kept, len - kept);
    }
    log->in_line = len > 0 && log->at[len - 1] != '\n';
    log->len -= len;
    memmove(log->at, log->at + len, log->len);
    return err;
}

int herd_log_flush(struct herd_log *log)
{
    return log ? hand_over(log, log->len) : 0;
}

void herd_log_set_aligned(struct herd_log *log, int64_t offset)
{
    if (!log)
        return;
    log->aligned = offset >= 0;
    log->room = log->aligned ? FULL_BYTES - (size_t)offset % FULL_BYTES : FULL_BYTES;
    if (log->len >= log->room)
        herd_log_flush(log);
}

static void line_done(struct herd_log *log, char *to)
{
    *to++ = '\n';
    log->len = (size_t)(to - log->at);
    while (log->len >= log->room)
        hand_over(log, log->aligned ? log->room : log->len);
}

void herd_log_event(struct herd_log *log, enum herd_log_level level, const char *event,
                    const struct herd_log_field *fields, size_t count)
{
    if (!herd_log_enabled(log, level))
        return;
    /* A field is written only where the longest one fits and the end of the line after it. */
    const size_t room = VALUE_ROOM(log->options.field_max_bytes);
    char *to = put_head(log, log->at + log->len, level, event);
    for (size_t i = 0; i < count; i++) {
        if ((size_t)(log->at + log->cap - to) < room) {
            to = put_bytes(to, " ...", 4);
            break;
        }
        to = put_field(log, to, &fields[i]);
    }
    line_done(log, to);
}

/* What all lines of one read begin with. Returns the end. */
static char *put_prefix(struct herd_log *log, char prefix[PREFIX_MAX_BYTES], const char *event,
                        struct herd_span label)
{
    static const char before[] = " line=\"";
    char *to = put_head(log, prefix, HERD_LOG_INFO, event);
    if (label.len) {
        size_t room = (size_t)(prefix + PREFIX_MAX_BYTES - to) - sizeof before;
        *to++ = ' ';
        to = put_bytes(to, label.at, label.len < room ? label.len : room);
    }
    return put_bytes(to, before, sizeof before - 1);
}

/* Takes the first line off *io_lines, without its LF. */
static struct herd_span next_line(struct herd_span *io_lines)
{
    const char *lf = memchr(io_lines->at, '\n', io_lines->len);
    struct herd_span line = {io_lines->at, lf ? (size_t)(lf - io_lines->at) : io_lines->len};
    size_t used = line.len + (lf != NULL);
    *io_lines = (struct herd_span){io_lines->at + used, io_lines->len - used};
    return line;
}

void herd_log_lines(struct herd_log *log, const char *event, struct herd_span label, struct herd_span lines)
{
    char prefix[PREFIX_MAX_BYTES];
    if (!herd_log_traffic_enabled(log) || lines.len == 0)
        return;
    const size_t prefix_len = (size_t)(put_prefix(log, prefix, event, label) - prefix);
    while (lines.len > 0) {
        char *to = put_bytes(log->at + log->len, prefix, prefix_len);
        to = put_value(log, to, next_line(&lines));
        *to++ = '"';
        line_done(log, to);
    }
}

/* How much of an answer does not stand in the line it answers; 0: not enough does, it is told in full. */
static size_t own_part(struct herd_span line, struct herd_span answer)
{
    size_t word = 0;
    while (word < line.len && word < WORD_MAX_BYTES && line.at[word] != ' ')
        word++;
    if (word >= line.len || line.at[word] != ' ')
        return 0;
    const char *args = line.at + word + 1;
    size_t shared = line.len - word - 1;
    size_t own = answer.len - shared;
    if (shared < SHARED_MIN_BYTES || answer.len <= shared || own > OWN_MAX_BYTES || answer.at[own - 1] != ' ' ||
        memcmp(answer.at + own, args, shared) != 0)
        return 0;
    return own;
}

void herd_log_exchange(struct herd_log *log, struct herd_span label, struct herd_span received,
                       struct herd_span sent)
{
    char prefix[PREFIX_MAX_BYTES];
    if (!herd_log_traffic_enabled(log) || received.len == 0) {
        herd_log_lines(log, "sent", label, sent);
        return;
    }
    const size_t prefix_len = (size_t)(put_prefix(log, prefix, "received", label) - prefix);
    while (received.len > 0) {
        struct herd_span line = next_line(&received), rest = sent;
        struct herd_span answer = sent.len > 0 ? next_line(&rest) : sent;
        size_t own = own_part(line, answer);
        char *to = put_bytes(log->at + log->len, prefix, prefix_len);
        to = put_value(log, to, line);
        if (own > 0) {
            to = put_bytes(to, "\" sent=\"", sizeof "\" sent=\"" - 1);
            to += herd_escape_copy(to, answer.at, own);
            to = put_bytes(to, "...", 3);
            sent = rest;
        }
        *to++ = '"';
        line_done(log, to);
    }
    herd_log_lines(log, "sent", label, sent);
}
