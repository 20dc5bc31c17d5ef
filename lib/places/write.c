/* SPDX-License-Identifier: MIT */
/* Writes answers in the legacy shape, laid out as Google's server lays them out: members in alphabetical
 * order, three blanks a level, blanks around the colon. */
#include "answer.h"

#include <string.h>

/* A text whose length the compiler knows. */
#define TEXT(text) ((struct herd_span){text, sizeof text - 1})

static void put(struct herd_answer_writer *w, struct herd_span bytes)
{
    if (w->err == 0)
        w->err = herd_buf_add(w->out, bytes.at, bytes.len);
}

/* Begins a member of a place; the first one has no comma in front. */
static void member(struct herd_answer_writer *w, bool *io_first, struct herd_span name)
{
    put(w, *io_first ? TEXT("\n         \"") : TEXT(",\n         \""));
    put(w, name);
    put(w, TEXT("\" : "));
    *io_first = false;
}

static void string_member(struct herd_answer_writer *w, bool *io_first, struct herd_span name,
                          struct herd_span inside)
{
    if (!inside.len)
        return;
    member(w, io_first, name);
    put(w, TEXT("\""));
    put(w, inside);
    put(w, TEXT("\""));
}

static void value_member(struct herd_answer_writer *w, bool *io_first, struct herd_span name,
                         struct herd_span value)
{
    if (!value.len)
        return;
    member(w, io_first, name);
    put(w, value);
}

static void corner(struct herd_answer_writer *w, struct herd_span before, struct herd_span lat,
                   struct herd_span lng, struct herd_span indent)
{
    put(w, before);
    put(w, TEXT("{\n"));
    put(w, indent);
    put(w, TEXT("   \"lat\" : "));
    put(w, lat);
    put(w, TEXT(",\n"));
    put(w, indent);
    put(w, TEXT("   \"lng\" : "));
    put(w, lng);
    put(w, TEXT("\n"));
    put(w, indent);
    put(w, TEXT("}"));
}

static void geometry(struct herd_answer_writer *w, bool *io_first, const struct herd_answer_place *place)
{
    member(w, io_first, TEXT("geometry"));
    corner(w, TEXT("{\n            \"location\" : "), place->lat, place->lng, TEXT("            "));
    if (place->viewport[0].len) {
        const struct herd_span *v = place->viewport;
        corner(w, TEXT(",\n            \"viewport\" : {\n               \"northeast\" : "), v[0], v[1],
               TEXT("               "));
        corner(w, TEXT(",\n               \"southwest\" : "), v[2], v[3], TEXT("               "));
        put(w, TEXT("\n            }"));
    }
    put(w, TEXT("\n         }"));
}

void herd_answer_begin(struct herd_answer_writer *w, struct herd_buf *out, struct herd_span attributions)
{
    *w = (struct herd_answer_writer){.out = out};
    put(w, TEXT("{\n   \"html_attributions\" : ["));
    if (attributions.len) {
        put(w, TEXT(" "));
        put(w, attributions);
        put(w, TEXT(" "));
    }
    put(w, TEXT("],\n   \"results\" : ["));
}

void herd_answer_add(struct herd_answer_writer *w, const struct herd_answer_place *place)
{
    bool first = true;
    put(w, w->count++ ? TEXT(",\n      {") : TEXT("\n      {"));
    string_member(w, &first, TEXT("business_status"), place->business_status);
    geometry(w, &first, place);
    string_member(w, &first, TEXT("icon"), place->icon);
    string_member(w, &first, TEXT("name"), place->name);
    if (place->open_now.len) {
        member(w, &first, TEXT("opening_hours"));
        put(w, TEXT("{\n            \"open_now\" : "));
        put(w, place->open_now);
        put(w, TEXT("\n         }"));
    }
    string_member(w, &first, TEXT("place_id"), place->place_id);
    if (place->global_code.len) {
        member(w, &first, TEXT("plus_code"));
        put(w, TEXT("{"));
        if (place->compound_code.len) {
            put(w, TEXT("\n            \"compound_code\" : \""));
            put(w, place->compound_code);
            put(w, TEXT("\","));
        }
        put(w, TEXT("\n            \"global_code\" : \""));
        put(w, place->global_code);
        put(w, TEXT("\"\n         }"));
    }
    value_member(w, &first, TEXT("price_level"), place->price_level);
    value_member(w, &first, TEXT("rating"), place->rating);
    string_member(w, &first, TEXT("reference"), place->place_id);
    member(w, &first, TEXT("types"));
    put(w, place->types.len ? TEXT("[ ") : TEXT("["));
    put(w, place->types);
    put(w, place->types.len ? TEXT(" ]") : TEXT("]"));
    value_member(w, &first, TEXT("user_ratings_total"), place->user_ratings_total);
    string_member(w, &first, TEXT("vicinity"), place->vicinity);
    put(w, TEXT("\n      }"));
}

int herd_answer_end(struct herd_answer_writer *w, bool found)
{
    put(w, w->count ? TEXT("\n   ],\n   \"status\" : \"") : TEXT("],\n   \"status\" : \""));
    put(w, found ? TEXT("OK\"\n}") : TEXT("ZERO_RESULTS\"\n}"));
    return w->err;
}
