/* SPDX-License-Identifier: MIT */
/* Any bytes as a file of places: GeoJSON. */
#include "places_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    fuzz_places_file(HERD_POINTS_GEOJSON, bytes, len);
    return 0;
}
