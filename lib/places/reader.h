/* SPDX-License-Identifier: MIT */
/* What the readers of place files share: a push reader with the bytes of the item it is in. */
#ifndef HERD_PLACES_READER_H
#define HERD_PLACES_READER_H

#include "points.h"
#include "raw.h"

/* No feature and no line is larger; without a bound one missing bracket would load the whole file. */
#define HERD_READER_ITEM_MAX (64u << 20)

struct herd_points_reader {
    enum herd_points_format format;
    struct herd_points *points;
    unsigned line; /* of the byte that comes next, from 1 */
    size_t skipped;
    struct herd_buf carry; /* of the item that is not whole yet */
    struct herd_buf scratch;
    /* GeoJSON only, see geojson.c */
    unsigned item_line; /* where the item begins */
    unsigned depth;     /* open brackets, the whole text's */
    bool in_string, escaped, features, key_next, comma_next, any, closing;
    size_t key_at;  /* in carry: where the latest string at depth 1 begins */
    size_t item_at; /* in carry: where the feature begins */
    size_t texts;   /* top-level values read */
};

/* Fills the fault with the reader's line. Returns `err`. */
HERD_PRINTF(4, 5)
int herd_reader_fault(const struct herd_points_reader *reader, struct herd_config_fault *reterr_fault, int err,
                      const char *what, ...);

int herd_tsv_read(struct herd_points_reader *reader, struct herd_span bytes,
                  struct herd_config_fault *reterr_fault);
int herd_tsv_end(struct herd_points_reader *reader, struct herd_config_fault *reterr_fault);
int herd_geojson_read(struct herd_points_reader *reader, struct herd_span bytes,
                      struct herd_config_fault *reterr_fault);
int herd_geojson_end(struct herd_points_reader *reader, struct herd_config_fault *reterr_fault);

/* feature.c: adds a Feature (text not yet checked), or counts it as skipped. */
int herd_feature_add(struct herd_points_reader *reader, struct herd_span text,
                     struct herd_config_fault *reterr_fault);

/* geometry.c: the point, or the centre of the box around anything else; false in *ret_found where there is nothing
 * (null, empty, an unknown type). `geometry` was checked; offsets of a fault count from its start. HERD_E_SYNTAX,
 * HERD_E_RANGE. */
int herd_geometry_centre(struct herd_span geometry, bool *ret_found, struct herd_point *io_point,
                         struct herd_raw_fault *reterr_fault);

#endif
