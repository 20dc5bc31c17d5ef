/* SPDX-License-Identifier: MIT */
/*
 * What the readers of place files share: a push reader with the bytes of the item it is in.
 *
 *   reader_fault.c   notes what could not be taken
 *   feature.c        a GeoJSON Feature; geometry.c its position
 *   geojson.c        where a feature begins and ends
 *   tsv.c            tables
 *   reader.c         a reader of either form
 *   file_kind.c      what a file is that is none of this
 *   load.c           a whole file
 */
#ifndef HERD_PLACES_READER_H
#define HERD_PLACES_READER_H

#include "points.h"
#include "raw.h"

/* No feature and no line is larger; without a bound one missing bracket would load the whole file. */
#define HERD_READER_ITEM_MAX (64u << 20)

/* Where in a text the reader of GeoJSON stands. Strings are within: `in_string` says so for any of these. */
enum herd_geojson_state {
    HERD_GEOJSON_OUTSIDE,       /* between texts */
    HERD_GEOJSON_IN_TEXT,       /* in an object at the top, its "features" left out */
    HERD_GEOJSON_FIRST_FEATURE, /* in "features", behind the bracket */
    HERD_GEOJSON_NEXT_FEATURE,  /* in "features", behind a comma */
    HERD_GEOJSON_IN_FEATURE,    /* in an element of "features" */
    HERD_GEOJSON_AFTER_FEATURE, /* in "features", behind an element */
    HERD_GEOJSON_LOST,          /* an item was too large: the rest is skipped */
};

struct herd_points_reader {
    enum herd_points_format format;
    struct herd_points *points;
    struct herd_points_summary summary;
    unsigned line;           /* of the byte that comes next, from 1 */
    size_t items;            /* features begun so far */
    struct herd_buf partial; /* of the item that is not whole yet */
    struct herd_buf scratch;
    bool skip_line; /* tables only: the line is too long */
    /* GeoJSON only, see geojson.c */
    enum herd_geojson_state state;
    unsigned item_line; /* where the item begins */
    unsigned depth;     /* open brackets, the whole text's */
    bool in_string, escaped;
    bool in_garbage;   /* inside a run of bytes that make no sense, which is one fault */
    bool had_features; /* the text is a collection */
    size_t key_at;     /* in `partial`: where the latest string at depth 1 begins */
    size_t item_at;    /* in `partial`: where the feature begins; before it, what frames the collection */
    size_t texts;      /* top-level values read */
};

/* reader_fault.c. Fills the fault with the reader's line (NULL: none). Returns `err`. */
HERD_PRINTF(4, 5)
int herd_reader_fault(const struct herd_points_reader *reader, struct herd_diagnostic *reterr_diagnostic, int err,
                      const char *what, ...);
/* Counts a fault that the reader goes on behind; the first one is kept, with `line`. `err` is what the file would
 * be refused with if nothing in it could be taken. */
HERD_PRINTF(4, 5)
void herd_reader_note(struct herd_points_reader *reader, int err, unsigned line, const char *what, ...);

/* Both read functions, and herd_feature_add: 0, HERD_E_NOMEM, HERD_E_LIMIT. */
int herd_tsv_read(struct herd_points_reader *reader, struct herd_span bytes,
                  struct herd_diagnostic *reterr_diagnostic);
int herd_tsv_end(struct herd_points_reader *reader, struct herd_diagnostic *reterr_diagnostic);
int herd_geojson_read(struct herd_points_reader *reader, struct herd_span bytes,
                      struct herd_diagnostic *reterr_diagnostic);
/* Notes what the end of the file cuts short, and a file without any GeoJSON. */
void herd_geojson_end(struct herd_points_reader *reader);

/* feature.c: adds a Feature (text not yet checked), or counts it as skipped. */
int herd_feature_add(struct herd_points_reader *reader, struct herd_span text,
                     struct herd_diagnostic *reterr_diagnostic);

/*
 * geometry.c: the point, or the centre of the box around anything else; false in *ret_found where there is nothing
 * (null, empty, an unknown type). A vertex that lies hardly beyond 180 or 90 degrees, as projecting leaves them, is
 * left out: *ret_left_out counts them, and *reterr_diagnostic has the first. `geometry` was checked; offsets of a
 * fault count from its start. HERD_E_SYNTAX, HERD_E_RANGE.
 */
int herd_geometry_centre(struct herd_span geometry, bool *ret_found, struct herd_point *io_point,
                         size_t *ret_left_out, struct herd_raw_fault *reterr_diagnostic);

/* file_kind.c: what the file is by its first bytes, as a sentence with the remedy, if it can be neither GeoJSON nor
 * a table; else NULL. */
const char *herd_file_kind(struct herd_span first_bytes);

#endif
