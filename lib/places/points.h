/* SPDX-License-Identifier: MIT */
/*
 * Points on the earth and the nearest of them: what the offline providers look up in.
 *
 * Points are collected in any order and then indexed: dealt into 360 strips, one degree of longitude
 * wide, each sorted by latitude. A look-up walks the strips near the centre, from the centre's latitude
 * outwards, and stops where latitude alone is farther than the farthest place it would still take. So
 * a crowded city costs little: the more points there are, the sooner the walk is over. Strips wrap at the
 * antimeridian by arithmetic, and near a pole all of them are near.
 *
 * 16 bytes a point beside its texts.
 */
#ifndef HERD_PLACES_POINTS_H
#define HERD_PLACES_POINTS_H

#include "answer.h"

#include <herd/config.h>
#include <herd/places.h>

#include <stdatomic.h>

struct herd_points;

/* A point to be added; texts are insides of JSON strings (escaped, UTF-8), copied. */
struct herd_point {
    int32_t lat_e7, lon_e7;
    struct herd_span name, id, vicinity;
    struct herd_span types; /* the inside of a JSON array */
};

/* HERD_E_NOMEM. `attributions` (the inside of a JSON array) and `id_prefix` (put before every id that is not
 * empty) are copied. */
int herd_points_new(struct herd_points **ret_points, const char *attributions, const char *id_prefix);
void herd_points_free(struct herd_points *points);
/* HERD_E_NOMEM, HERD_E_LIMIT (2^32 points), HERD_E_STATE (indexed). */
int herd_points_add(struct herd_points *points, const struct herd_point *point);
/* Builds the index: from now on look-ups are possible and additions are not. HERD_E_NOMEM: as before. */
int herd_points_build_index(struct herd_points *points);

size_t herd_points_count(const struct herd_points *points);
/* Bytes held: the index alone, and the texts. */
size_t herd_points_index_bytes(const struct herd_points *points);
size_t herd_points_text_bytes(const struct herd_points *points);
/* Point `i` in the order of the index; spans borrowed until free. */
void herd_points_get(const struct herd_points *points, size_t i, struct herd_point *ret_point);

/* A point found: its number in the index, and the sine-squared of half its angle from the centre, which
 * grows with the distance and is cheap to compare. */
struct herd_points_hit {
    double haversine;
    size_t i;
};
/* The nearest points within `radius_m`, nearest first, at most `cap` (which is at most
 * HERD_POINTS_HITS_MAX); equal distances by number. Returns how many. */
#define HERD_POINTS_HITS_MAX 64
size_t herd_points_nearest(const struct herd_points *points, double lat_deg, double lon_deg, double radius_m,
                           struct herd_points_hit *ret_hits, size_t cap);
/* Metres for a hit, and between two points in degrees, on the mean sphere. */
double herd_points_metres(double haversine);
double herd_points_haversine(double lat1_deg, double lon1_deg, double lat2_deg, double lon2_deg);

/* Appends a whole answer. HERD_E_NOMEM. */
int herd_points_answer(const struct herd_points *points, const struct herd_places_query *query,
                       struct herd_buf *out);

/*
 * Readers: bytes in, points out; bytes may be cut anywhere. A reader takes what can be used, counts what cannot,
 * and names the first of it; it fails for want of memory, and at the end, if all there was is faulty.
 */
struct herd_points_reader;
enum herd_points_format { HERD_POINTS_GEOJSON, HERD_POINTS_TSV };

struct herd_points_summary {
    size_t taken;
    size_t skipped; /* features and rows that were not taken, also those without a name or a position */
    size_t faulty;  /* faults found: in features, rows, vertices left out, and between them */
    struct herd_diagnostic first; /* the first of these, with its line; valid if there is any */
    size_t first_item;            /* the number of its feature from 1; 0: not in a feature */
    int first_err;                /* HERD_E_SYNTAX, HERD_E_RANGE, HERD_E_LIMIT */
    bool cut_short;               /* the file ends, or was given up, within a feature */
};

/* `points` borrowed for the reader's life. */
int herd_points_reader_new(struct herd_points_reader **ret_reader, enum herd_points_format format,
                           struct herd_points *points);
/* HERD_E_NOMEM, HERD_E_LIMIT (2^32 points). After an error only _free and the summary are possible. */
int herd_points_read(struct herd_points_reader *reader, struct herd_span bytes,
                     struct herd_diagnostic *reterr_diagnostic);
/* No more bytes will come. HERD_E_NOMEM; HERD_E_SYNTAX, HERD_E_RANGE, HERD_E_LIMIT with the first fault if there
 * was no point and there were faults. */
int herd_points_read_end(struct herd_points_reader *reader, struct herd_diagnostic *reterr_diagnostic);
/* So far; borrowed for the reader's life. */
const struct herd_points_summary *herd_points_reader_summary(const struct herd_points_reader *reader);
void herd_points_reader_free(struct herd_points_reader *reader);

/* Lets another thread follow and stop the reading of a file. */
struct herd_points_watch {
    atomic_bool stop;         /* may become true: then the reading ends with HERD_E_STATE */
    void (*begun)(void *ctx); /* the first 64 KiB were taken without an error, and more follows; NULL: not wanted */
    void *ctx;
};

/* Reads a whole regular file, telling GeoJSON from TSV by its first byte, and indexes. `watch` may be NULL.
 * HERD_E_IO; HERD_E_SYNTAX too for a file that is something else, with a sentence about what it is. *ret_summary is
 * filled in any case. */
int herd_points_load(struct herd_points **ret_points, const char *path, const struct herd_points_watch *watch,
                     struct herd_points_summary *ret_summary, struct herd_diagnostic *reterr_diagnostic);

/* What the licence of GeoNames' data asks for, as an element of `html_attributions`. */
#define HERD_GEONAMES_ATTRIBUTION                                        \
    "\"Places: <a href=\\\"https://www.geonames.org/\\\">GeoNames</a>, " \
    "<a href=\\\"https://creativecommons.org/licenses/by/4.0/\\\">CC BY 4.0</a>\""

/* The places compiled in, indexed. HERD_E_NOMEM. */
int herd_points_gazetteer(struct herd_points **ret_points);
/* A country's English name by its two letters; empty where unknown. */
struct herd_span herd_country_name(struct herd_span code);

#endif
