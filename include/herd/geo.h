/* SPDX-License-Identifier: MIT */
/*
 * Places as ISO 6709 decimal degrees, `+34.068930-118.445127`: latitude then longitude, each with its
 * sign, no separator. The text itself is kept and passed on; ranges are decided on its digits, so
 * `+90.0000000000000000001+0` is out of range where a double would let it in.
 */
#ifndef HERD_GEO_H
#define HERD_GEO_H

#include <herd/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The two halves of a place, each with its sign, as spans of the text that was parsed. */
struct herd_position {
    struct herd_span lat, lon;
};

/* Splits and checks `text` (borrowed as long as *ret_position is used).
 * HERD_E_SYNTAX: not sign digits [. digits] twice. HERD_E_RANGE: |lat| > 90 or |lon| > 180. */
HERD_API int herd_position_parse(struct herd_span text, struct herd_position *ret_position);

/* Converts one coordinate of a position to degrees: the nearest double if 15 significant digits and 18 decimals are
 * enough, otherwise within two units in the last place of it, or 2e-18 degrees. `coordinate` must have come from
 * herd_position_parse. */
HERD_API double herd_coordinate_degrees(struct herd_span coordinate);

#ifdef __cplusplus
}
#endif
#endif
