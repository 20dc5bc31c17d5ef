/* SPDX-License-Identifier: MIT */
/* Writes answers in the legacy shape, laid out as Google's server lays them out: members in alphabetical
 * order, three blanks a level, blanks around the colon. */
#include "answer.h"

#include <string.h>

static void put(struct herd_answer_writer *w, const char *text)
{
    if (w->err == 0)
        w->err = herd_buf_add_text(w->out, text);
}

static void put_span(struct herd_answer_writer *w, struct herd_span bytes)
{
    if (w->err == 0)
        w->err = herd_buf_add(w->out, bytes.at, bytes.len);
}

/* Begins a member of a place; the first one has no comma in front. */
static void member(struct herd_answer_writer *w, bool *io_first, const char *name)
{
    put(w, *io_first ? "\n         \"" : ",\n         \"");
    put(w, name);
    put(w, "\" : ");
    *io_first = false;
}

static void string_member(struct herd_answer_writer *w, bool *io_first, const char *name, struct herd_span inside)
{
    if (!inside.len)
        return;
    member(w, io_first, name);
    put(w, "\"");
    put_span(w, inside);
    put(w, "\"");
}

static void value_member(struct herd_answer_writer *w, bool *io_first, const char *name, struct herd_span value)
{
    if (!value.len)
        return;
    member(w, io_first, name);
    put_span(w, value);
}

static void corner(struct herd_answer_writer *w, const char *before, struct herd_span lat, struct herd_span lng,
                   const char *indent)
{
    put(w, before);
    put(w, "{\n");
    put(w, indent);
    put(w, "   \"lat\" : ");
    put_span(w, lat);
    put(w, ",\n");
    put(w, indent);
    put(w, "   \"lng\" : ");
    put_span(w, lng);
    put(w, "\n");
    put(w, indent);
    put(w, "}");
}

static void geometry(struct herd_answer_writer *w, bool *io_first, const struct herd_answer_place *place)
{
    member(w, io_first, "geometry");
    corner(w, "{\n            \"location\" : ", place->lat, place->lng, "            ");
    if (place->viewport[0].len) {
        const struct herd_span *v = place->viewport;
        corner(w, ",\n            \"viewport\" : {\n               \"northeast\" : ", v[0], v[1],
               "               ");
        corner(w, ",\n               \"southwest\" : ", v[2], v[3], "               ");
        put(w, "\n            }");
    }
    put(w, "\n         }");
}

void herd_answer_begin(struct herd_answer_writer *w, struct herd_buf *out, struct herd_span attributions)
{
    *w = (struct herd_answer_writer){.out = out};
    put(w, "{\n   \"html_attributions\" : [");
    if (attributions.len) {
        put(w, " ");
        put_span(w, attributions);
        put(w, " ");
    }
    put(w, "],\n   \"results\" : [");
}

void herd_answer_add(struct herd_answer_writer *w, const struct herd_answer_place *place)
{
    bool first = true;
    put(w, w->count++ ? ",\n      {" : "\n      {");
    string_member(w, &first, "business_status", place->business_status);
    geometry(w, &first, place);
    string_member(w, &first, "icon", place->icon);
    string_member(w, &first, "name", place->name);
    if (place->open_now.len) {
        member(w, &first, "opening_hours");
        put(w, "{\n            \"open_now\" : ");
        put_span(w, place->open_now);
        put(w, "\n         }");
    }
    string_member(w, &first, "place_id", place->place_id);
    if (place->global_code.len) {
        member(w, &first, "plus_code");
        put(w, "{");
        if (place->compound_code.len) {
            put(w, "\n            \"compound_code\" : \"");
            put_span(w, place->compound_code);
            put(w, "\",");
        }
        put(w, "\n            \"global_code\" : \"");
        put_span(w, place->global_code);
        put(w, "\"\n         }");
    }
    value_member(w, &first, "price_level", place->price_level);
    value_member(w, &first, "rating", place->rating);
    string_member(w, &first, "reference", place->place_id);
    member(w, &first, "types");
    put(w, place->types.len ? "[ " : "[");
    put_span(w, place->types);
    put(w, place->types.len ? " ]" : "]");
    value_member(w, &first, "user_ratings_total", place->user_ratings_total);
    string_member(w, &first, "vicinity", place->vicinity);
    put(w, "\n      }");
}

int herd_answer_end(struct herd_answer_writer *w, bool found)
{
    put(w, w->count ? "\n   ],\n   \"status\" : \"" : "],\n   \"status\" : \"");
    put(w, found ? "OK\"\n}" : "ZERO_RESULTS\"\n}");
    return w->err;
}
