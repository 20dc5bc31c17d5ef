/* SPDX-License-Identifier: MIT */
/* Skips one token of a JSON text, strictly, and reports what is wrong with it. */
#ifndef HERD_EDGE_JSON_TOKEN_H
#define HERD_EDGE_JSON_TOKEN_H

#include "config_reader.h"

struct herd_json_scan {
    struct herd_config_reader *reader;
    const char *at, *end;
    bool marking;         /* walking beside a tree */
    bool has_lost;        /* some value of the text is not in the tree */
    struct herd_buf name; /* of the member being looked up, terminated */
};

size_t herd_json_offset(const struct herd_json_scan *scan, const char *at);
/* Reports what was expected and the byte found instead. One byte only: unquoted text may be an API key put into the
 * file by mistake. Returns HERD_E_SYNTAX. */
int herd_json_expected(struct herd_json_scan *scan, const char *what);
bool herd_json_is_at(const struct herd_json_scan *scan, char byte);
bool herd_json_is_digit_at(const struct herd_json_scan *scan);
void herd_json_skip_space(struct herd_json_scan *scan);

/* Each stands on the first byte of its token and goes past the last. 0, or HERD_E_SYNTAX with the fault. */
int herd_json_scan_string(struct herd_json_scan *scan);
int herd_json_scan_number(struct herd_json_scan *scan);
int herd_json_scan_word(struct herd_json_scan *scan, const char *word);

#endif
