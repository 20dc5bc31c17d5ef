/* SPDX-License-Identifier: MIT */
/* From the fields of a WHATSAT and the stored position to the query for a provider. */
#ifndef HERD_PLACES_QUERY_H
#define HERD_PLACES_QUERY_H

#include <herd/places.h>

/* A query and the memory its texts live in. Zero-initialise, make as often as wanted, then fini. */
struct herd_places_question {
    struct herd_places_query query; /* its spans point into `text`: copy the pointer, not the struct */
    struct herd_buf text;
};

/*
 * Fills a question from decimal texts as they came: "+34.068930", "-118.445127" (degrees) and
 * "0.0005" (kilometres). Coordinates keep every digit; the radius is moved to metres by its decimal
 * point and loses zeros behind it, so that equal radii are equal texts. HERD_E_SYNTAX, HERD_E_NOMEM:
 * the question is unusable until made again. Ranges are the caller's: the core has checked them.
 */
int herd_places_query_make(struct herd_places_question *io_question, struct herd_span lat, struct herd_span lon,
                           struct herd_span radius_km, unsigned bound);
/* The same for a place as ISO 6709 has it, both in one text: "+34.068930-118.445127". */
int herd_places_query_make_iso(struct herd_places_question *io_question, struct herd_span position,
                               struct herd_span radius_km, unsigned bound);
void herd_places_query_fini(struct herd_places_question *question);

#endif
