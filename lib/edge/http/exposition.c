/* SPDX-License-Identifier: MIT */
/* Figures as Prometheus reads them. */
#include "exposition.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void add(struct herd_exposition *exposition, const char *bytes, size_t len)
{
    if (exposition->err >= 0)
        exposition->err = herd_buf_add(exposition->out, bytes, len);
}

static void add_text(struct herd_exposition *exposition, const char *text)
{
    add(exposition, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) static void add_format(struct herd_exposition *exposition, const char *format,
                                                             ...)
{
    char text[64];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len > 0 && (size_t)len < sizeof text)
        add(exposition, text, (size_t)len);
}

/* printf's point is the locale's, of one byte or more: whatever is none of a number's letters is it. */
static const char *number_text(char text[64], double number)
{
    char *to = text;
    snprintf(text, 64, "%.15g", number);
    for (const char *at = text; *at; at++) {
        if (strchr("0123456789+-einfa", *at))
            *to++ = *at;
        else if (to == text || to[-1] != '.')
            *to++ = '.';
    }
    *to = '\0';
    return text;
}

static void add_number(struct herd_exposition *exposition, double number)
{
    char text[64];
    add_text(exposition, " ");
    add_text(exposition, number_text(text, number));
    add_text(exposition, "\n");
}

void herd_exposition_begin(struct herd_exposition *exposition, const char *name, const char *type, const char *help)
{
    exposition->family = name;
    const char *const parts[] = {"# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        add_text(exposition, parts[i]);
}

static void add_escaped(struct herd_exposition *exposition, struct herd_span value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.at[i];
        if (c == '\\' || c == '"')
            add(exposition, "\\", 1);
        if (c == '\n')
            add(exposition, "\\n", 2);
        else
            add(exposition, &c, 1);
    }
}

/* "{label="value",le="0.1"}": what a sample is of; `label` NULL: none; `le` NULL: of no bucket. */
static void add_labels(struct herd_exposition *exposition, const char *label, struct herd_span value,
                       const char *le)
{
    if (!label && !le)
        return;
    add_text(exposition, "{");
    if (label) {
        add_text(exposition, label);
        add_text(exposition, "=\"");
        add_escaped(exposition, value);
        add_text(exposition, le ? "\"," : "\"");
    }
    if (le)
        add_format(exposition, "le=\"%s\"", le);
    add_text(exposition, "}");
}

static void begin_sample(struct herd_exposition *exposition, const char *label, struct herd_span value)
{
    add_text(exposition, exposition->family);
    add_labels(exposition, label, value, NULL);
}

void herd_exposition_count(struct herd_exposition *exposition, const char *label, struct herd_span value,
                           uint64_t count)
{
    begin_sample(exposition, label, value);
    add_format(exposition, " %" PRIu64 "\n", count);
}

void herd_exposition_number(struct herd_exposition *exposition, const char *label, struct herd_span value,
                            double number)
{
    begin_sample(exposition, label, value);
    add_number(exposition, number);
}

void herd_exposition_histogram(struct herd_exposition *exposition, const char *label, struct herd_span value,
                               const struct herd_histogram *histogram)
{
    uint64_t below = 0;
    char le[64];
    for (size_t i = 0; i <= HERD_HISTOGRAM_BOUNDS; i++) {
        below += histogram->counts[i];
        if (i < HERD_HISTOGRAM_BOUNDS)
            (void)number_text(le, (double)herd_histogram_bound_ns(i) / 1e9);
        add_text(exposition, exposition->family);
        add_text(exposition, "_bucket");
        add_labels(exposition, label, value, i < HERD_HISTOGRAM_BOUNDS ? le : "+Inf");
        add_format(exposition, " %" PRIu64 "\n", below);
    }
    add_text(exposition, exposition->family);
    add_text(exposition, "_sum");
    add_labels(exposition, label, value, NULL);
    add_number(exposition, histogram->sum_s);
    add_text(exposition, exposition->family);
    add_text(exposition, "_count");
    add_labels(exposition, label, value, NULL);
    add_format(exposition, " %" PRIu64 "\n", histogram->count);
}

void herd_exposition_labelled(struct herd_exposition *exposition, const char *labels, uint64_t count)
{
    add_text(exposition, exposition->family);
    add_text(exposition, "{");
    add_text(exposition, labels);
    add_format(exposition, "} %" PRIu64 "\n", count);
}

void herd_exposition_one(struct herd_exposition *exposition, const char *name, const char *type, const char *help,
                         uint64_t count)
{
    herd_exposition_begin(exposition, name, type, help);
    herd_exposition_count(exposition, NULL, (struct herd_span){"", 0}, count);
}
