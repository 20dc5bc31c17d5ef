/* SPDX-License-Identifier: MIT */
/*
 * Chooses which member of a feature is which text. Names of members are compared without regard to case: shapefiles made them
 * upper case, spreadsheets capitalise them. Of several the one that stands higher in the table is taken, what is
 * spelled as here before what is not, and the first of equals.
 */
#include "feature_texts.h"

#include <string.h>

enum text {
    NAME,
    KIND,
    ID,
    VICINITY,
    HOUSE_NUMBER,
    STREET,
    CITY,
    TYPES,
    OVERTURE_NAMES,
    OVERTURE_KINDS,
    TAGS,
    TEXTS
};

struct known {
    const char *member;
    unsigned len;
    enum text text;
};

#define KNOWN(text, member)             \
    {                                   \
        member, sizeof member - 1, text \
    }

/* In "properties", best first. */
static const struct known properties_known[] = {
    KNOWN(NAME, "name"),
    KNOWN(NAME, "name:en"),
    KNOWN(NAME, "wof:name"),
    KNOWN(NAME, "title"),
    KNOWN(NAME, "name_en"),
    KNOWN(KIND, "category"),
    KNOWN(KIND, "amenity"),
    KNOWN(KIND, "shop"),
    KNOWN(KIND, "tourism"),
    KNOWN(KIND, "leisure"),
    KNOWN(KIND, "office"),
    KNOWN(KIND, "fclass"),
    KNOWN(KIND, "class"),
    KNOWN(KIND, "wof:placetype"),
    KNOWN(KIND, "featurecla"),
    KNOWN(ID, "place_id"),
    KNOWN(ID, "@id"),
    KNOWN(ID, "id"),
    KNOWN(ID, "wof:id"),
    KNOWN(ID, "osm_id"),
    KNOWN(VICINITY, "vicinity"),
    KNOWN(VICINITY, "address"),
    KNOWN(VICINITY, "addr:full"),
    KNOWN(VICINITY, "formatted_address"),
    KNOWN(VICINITY, "full_address"),
    KNOWN(HOUSE_NUMBER, "addr:housenumber"),
    KNOWN(STREET, "addr:street"),
    KNOWN(CITY, "addr:city"),
    KNOWN(TYPES, "types"),
    KNOWN(OVERTURE_NAMES, "names"),
    KNOWN(OVERTURE_KINDS, "categories"),
    KNOWN(TAGS, "tags"),
};
#define KNOWN_COUNT (sizeof properties_known / sizeof properties_known[0])

/* The best member of each text so far; `rank` 0: none. */
struct best {
    struct herd_span value[TEXTS];
    unsigned rank[TEXTS];
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* 2: equal, 1: but for case, 0: no. `key` has its quotes; one with escapes is compared as what it stands for. */
static unsigned matches(struct herd_span key, const struct known *known)
{
    struct herd_span in = herd_raw_inside(key);
    if (in.len != known->len)
        return in.len > known->len && memchr(in.at, '\\', in.len) && herd_raw_is(key, known->member) ? 2 : 0;
    if (memcmp(in.at, known->member, in.len) == 0)
        return 2;
    for (size_t i = 0; i < in.len; i++)
        if (lower(in.at[i]) != known->member[i])
            return 0;
    return 1;
}

/* A string or a number as text, a list or an object as it is where that is what is wanted. */
static struct herd_span usable(enum text text, struct herd_span value)
{
    char kind = herd_raw_kind(value), want = text == TYPES ? '[' : text >= OVERTURE_NAMES ? '{' : '"';
    if (kind == want)
        return want == '"' ? herd_raw_inside(value) : value;
    return kind == '0' && want == '"' ? value : (struct herd_span){NULL, 0};
}

static void choose(struct herd_span properties, struct best *best)
{
    struct herd_raw_walk walk = herd_raw_walk(properties);
    struct herd_span key, value;
    while (herd_raw_kind(properties) == '{' && herd_raw_member(&walk, &key, &value)) {
        for (size_t i = 0; i < KNOWN_COUNT; i++) {
            const struct known *known = &properties_known[i];
            unsigned match = matches(key, known);
            if (!match)
                continue;
            unsigned rank = 2 * (unsigned)(KNOWN_COUNT - i) + match;
            struct herd_span text = usable(known->text, value);
            if (text.len && rank > best->rank[known->text]) {
                best->rank[known->text] = rank;
                best->value[known->text] = text;
            }
            break;
        }
    }
}

/* What `tags` has and `properties` has not: converters of OpenStreetMap's data nest it. */
static void choose_nested(struct best *best)
{
    struct best nested = {0};
    if (!best->value[TAGS].len)
        return;
    choose(best->value[TAGS], &nested);
    for (int text = 0; text < TAGS; text++)
        if (!best->value[text].len)
            best->value[text] = nested.value[text];
}

/* An id that reads like a name: a number, a path (node/7), a key or a URL is nothing that a place is called. */
static bool is_readable(struct herd_span id)
{
    for (size_t i = 0; i < id.len; i++)
        if ((id.at[i] >= '0' && id.at[i] <= '9') || strchr("/:\\_", id.at[i]))
            return false;
    return id.len > 0;
}

void herd_feature_texts(struct herd_span feature, struct herd_feature_texts *ret_texts)
{
    struct herd_feature_texts t = {0};
    struct herd_span key, value, properties = {NULL, 0}, own_id = {NULL, 0}, label = {NULL, 0}, address = {NULL, 0};
    struct {
        const char *member;
        struct herd_span *to;
    } const known[] = {{"type", &t.type}, {"geometry", &t.geometry}, {"properties", &properties},
                       {"id", &own_id},   {"text", &label},          {"place_name", &address}};
    struct herd_raw_walk walk = herd_raw_walk(feature);
    while (herd_raw_kind(feature) == '{' && herd_raw_member(&walk, &key, &value))
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            if (!known[i].to->at && herd_raw_is(key, known[i].member)) {
                *known[i].to = value;
                break;
            }
    struct best best = {0};
    choose(properties, &best);
    choose_nested(&best);
    t.id = usable(ID, own_id).len ? usable(ID, own_id) : best.value[ID];
    t.kind = best.value[KIND].len ? best.value[KIND] : herd_raw_text(best.value[OVERTURE_KINDS], "primary");
    t.types = best.value[TYPES];
    t.vicinity = best.value[VICINITY].len ? best.value[VICINITY] : herd_raw_inside(address);
    t.house_number = best.value[HOUSE_NUMBER];
    t.street = best.value[STREET];
    t.city = best.value[CITY];
    t.name = best.value[NAME];
    if (!t.name.len)
        t.name = herd_raw_text(best.value[OVERTURE_NAMES], "primary");
    if (!t.name.len)
        t.name = herd_raw_inside(label); /* as Mapbox writes it */
    if (!t.name.len)
        t.name = t.kind.len ? t.kind : is_readable(t.id) ? t.id : t.name;
    *ret_texts = t;
}

int herd_feature_write_types(struct herd_buf *out, const struct herd_feature_texts *texts)
{
    struct herd_span element;
    int err = 0;
    if (texts->types.len) {
        struct herd_raw_walk walk = herd_raw_walk(texts->types);
        size_t begin = out->len;
        while (err == 0 && herd_raw_element(&walk, &element))
            if (herd_raw_kind(element) == '"' && (out->len == begin || (err = herd_buf_add_text(out, ", ")) == 0))
                err = herd_buf_add(out, element.at, element.len);
        return err;
    }
    if (texts->kind.len && ((err = herd_buf_add_text(out, "\"")) < 0 ||
                            (err = herd_buf_add(out, texts->kind.at, texts->kind.len)) < 0 ||
                            (err = herd_buf_add_text(out, "\", ")) < 0))
        return err;
    return herd_buf_add_text(out, "\"point_of_interest\", \"establishment\"");
}

int herd_feature_write_vicinity(struct herd_buf *out, const struct herd_feature_texts *texts)
{
    struct herd_span number = texts->house_number, street = texts->street, city = texts->city;
    if (texts->vicinity.len)
        return herd_buf_add(out, texts->vicinity.at, texts->vicinity.len);
    if ((street.len && number.len &&
         (herd_buf_add(out, number.at, number.len) < 0 || herd_buf_add_text(out, " ") < 0)) ||
        herd_buf_add(out, street.at, street.len) < 0 ||
        (street.len && city.len && herd_buf_add_text(out, ", ") < 0))
        return HERD_E_NOMEM;
    return herd_buf_add(out, city.at, city.len);
}
