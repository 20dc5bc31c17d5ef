/* SPDX-License-Identifier: MIT */
/* The texts of a GeoJSON Feature: which of its members is the name, the kind, the address. */
#ifndef HERD_PLACES_FEATURE_TEXTS_H
#define HERD_PLACES_FEATURE_TEXTS_H

#include "raw.h"

/* Spans into the feature: insides of strings (escapes kept) or numbers, except where said. */
struct herd_feature_texts {
    struct herd_span type, geometry; /* values */
    struct herd_span name;           /* empty: nothing to call it by */
    struct herd_span kind, id;
    struct herd_span types; /* an array; empty: none */
    struct herd_span vicinity, house_number, street, city;
};

/* Chooses the texts of a checked feature, in one walk over its members and one over its properties. */
void herd_feature_texts(struct herd_span feature, struct herd_feature_texts *ret_texts);

/* Appends the inside of the array of types. HERD_E_NOMEM. */
int herd_feature_write_types(struct herd_buf *out, const struct herd_feature_texts *texts);
/* Appends an address as one line: OpenStreetMap has it in pieces. HERD_E_NOMEM. */
int herd_feature_write_vicinity(struct herd_buf *out, const struct herd_feature_texts *texts);

#endif
