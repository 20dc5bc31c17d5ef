/* SPDX-License-Identifier: MIT */
/* What the fuzz targets of places share. */
#ifndef FUZZ_PLACES_H
#define FUZZ_PLACES_H

#include "answer.h"
#include "google.h"
#include "points.h"
#include "query.h"
#include "raw.h"

#include <json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static inline void check(bool is_so)
{
    if (!is_so)
        abort();
}

/* What we write, and what we let through, is taken by a parser nobody here wrote. */
static inline void check_json(struct herd_span json)
{
    struct json_tokener *tokener = json_tokener_new_ex(HERD_RAW_DEPTH_MAX + 4);
    check(tokener != NULL);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *object = json_tokener_parse_ex(tokener, json.at, (int)json.len);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    if (error == json_tokener_continue) /* a number at the very end */
        object = json_tokener_parse_ex(tokener, "", 1);
    check(json_tokener_get_error(tokener) == json_tokener_success);
    json_object_put(object);
    json_tokener_free(tokener);
}

static inline void check_answer(struct herd_span json, unsigned bound)
{
    struct herd_answer_shape shape;
    char why[100];
    check(herd_answer_read(json, &shape, why, sizeof why) == 0);
    check(shape.result_count <= bound);
    check(json.len && json.at[json.len - 1] != '\n' && !memmem(json.at, json.len, "\n\n", 2));
    check_json(json);
}

static inline struct herd_places_question question(unsigned bound)
{
    struct herd_places_question q = {0};
    check(herd_places_query_make_iso(&q, herd_span_of("+48.85+002.35"), herd_span_of("1"), bound) == 0);
    return q;
}

#endif
