/* SPDX-License-Identifier: MIT */
/*
 * Writes figures in the text format of Prometheus, version 0.0.4. All samples of a family follow its begin; the first
 * failure is kept and what follows it does nothing.
 */
#ifndef HERD_EDGE_EXPOSITION_H
#define HERD_EDGE_EXPOSITION_H

#include <herd/node.h>

struct herd_exposition {
    struct herd_buf *out;
    const char *family; /* of the samples that follow */
    int err;            /* HERD_E_NOMEM, or 0 */
};

/* `name` and `help` are the program's own words; `type` is gauge, counter or histogram. */
void herd_exposition_begin(struct herd_exposition *exposition, const char *name, const char *type,
                           const char *help);
/* One label or none (NULL). Its value is escaped. */
void herd_exposition_count(struct herd_exposition *exposition, const char *label, struct herd_span value,
                           uint64_t count);
void herd_exposition_number(struct herd_exposition *exposition, const char *label, struct herd_span value,
                            double number);
void herd_exposition_histogram(struct herd_exposition *exposition, const char *label, struct herd_span value,
                               const struct herd_histogram *histogram);
/* Labels as they are, of the program's own words: "route=\"/\",code=\"2xx\"". */
void herd_exposition_labelled(struct herd_exposition *exposition, const char *labels, uint64_t count);
/* A family of one sample without a label. */
void herd_exposition_one(struct herd_exposition *exposition, const char *name, const char *type, const char *help,
                         uint64_t count);

#endif
