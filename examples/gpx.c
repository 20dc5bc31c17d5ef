/* SPDX-License-Identifier: MIT */
/*
 * GPX through expat: a piece of the file at a time, as points are asked for. What is read are the elements trkpt, rtept
 * and wpt, by their names without namespace, so that every version and every prefix will do; what is in a comment or
 * in a CDATA section is no element, and expat knows which is which. A point whose coordinates are not plain decimal
 * degrees ends the reading: a place that nobody was at is worse than none.
 */
#include "gpx.h"

#include <ctype.h>
#include <errno.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PIECE_BYTES 16384

struct gpx {
    FILE *file;
    XML_Parser parser;
    struct gpx_point *points; /* of the piece read last, not yet taken */
    size_t count, cap, next;
    bool at_end, is_gpx;
    char fault[160];
};

static void fail(struct gpx *gpx, const char *what, const char *value)
{
    if (gpx->fault[0])
        return;
    snprintf(gpx->fault, sizeof gpx->fault, "line %lu: %s%s%.40s%s",
             (unsigned long)XML_GetCurrentLineNumber(gpx->parser), what, value ? ": \"" : "", value ? value : "",
             value ? "\"" : "");
    XML_StopParser(gpx->parser, XML_FALSE);
}

/* xsd:decimal within +-most, nothing else: no exponent, no hexadecimal, no comma, whatever the locale. */
static bool parse_degrees(const char *text, double most, double *ret_deg)
{
    double value = 0, scale = 1;
    size_t digits = 0;
    while (*text && strchr(" \t\r\n", *text))
        text++;
    bool negative = *text == '-';
    if (*text == '-' || *text == '+')
        text++;
    for (; isdigit((unsigned char)*text); text++, digits++)
        value = value * 10 + (*text - '0');
    if (*text == '.')
        for (text++; isdigit((unsigned char)*text); text++, digits++)
            if (scale < 1e15) {
                value = value * 10 + (*text - '0');
                scale *= 10;
            }
    while (*text && strchr(" \t\r\n", *text))
        text++;
    value /= scale;
    *ret_deg = negative ? -value : value;
    return digits > 0 && *text == '\0' && value <= most;
}

static const char *local_name(const char *name)
{
    const char *colon = strrchr(name, ':');
    return colon ? colon + 1 : name;
}

static void XMLCALL on_element(void *ctx, const char *name, const char **attributes)
{
    struct gpx *gpx = ctx;
    const char *lat = NULL, *lon = NULL;
    struct gpx_point point;
    name = local_name(name);
    if (!gpx->is_gpx && strcmp(name, "gpx") != 0) {
        fail(gpx, "not a GPX file: its first element is", name);
        return;
    }
    gpx->is_gpx = true;
    if (strcmp(name, "trkpt") != 0 && strcmp(name, "rtept") != 0 && strcmp(name, "wpt") != 0)
        return;
    for (size_t i = 0; attributes[i]; i += 2) {
        if (strcmp(attributes[i], "lat") == 0)
            lat = attributes[i + 1];
        else if (strcmp(attributes[i], "lon") == 0)
            lon = attributes[i + 1];
    }
    if (!lat || !parse_degrees(lat, 90, &point.lat_deg)) {
        fail(gpx, lat ? "lat is no latitude in degrees" : "a point without lat", lat);
        return;
    }
    if (!lon || !parse_degrees(lon, 180, &point.lon_deg)) {
        fail(gpx, lon ? "lon is no longitude in degrees" : "a point without lon", lon);
        return;
    }
    if (gpx->count == gpx->cap) {
        size_t cap = gpx->cap ? 2 * gpx->cap : 256;
        struct gpx_point *points = realloc(gpx->points, cap * sizeof *points);
        if (!points) {
            fail(gpx, "out of memory", NULL);
            return;
        }
        gpx->points = points;
        gpx->cap = cap;
    }
    gpx->points[gpx->count++] = point;
}

struct gpx *gpx_open(const char *path, char *reterr_why, size_t why_size)
{
    struct gpx *gpx = calloc(1, sizeof *gpx);
    struct stat about;
    if (!gpx || !(gpx->parser = XML_ParserCreate(NULL))) {
        snprintf(reterr_why, why_size, "out of memory");
    } else if (!(gpx->file = fopen(path, "rb"))) {
        snprintf(reterr_why, why_size, "%s", strerror(errno));
    } else if (fstat(fileno(gpx->file), &about) == 0 && S_ISDIR(about.st_mode)) {
        snprintf(reterr_why, why_size, "%s", strerror(EISDIR));
    } else {
        XML_SetUserData(gpx->parser, gpx);
        XML_SetStartElementHandler(gpx->parser, on_element);
        return gpx;
    }
    gpx_close(gpx);
    return NULL;
}

bool gpx_next(struct gpx *gpx, struct gpx_point *ret_point)
{
    char piece[PIECE_BYTES];
    while (gpx->next == gpx->count && !gpx->at_end && !gpx->fault[0]) {
        size_t got = fread(piece, 1, sizeof piece, gpx->file);
        gpx->count = gpx->next = 0;
        gpx->at_end = got < sizeof piece;
        if (ferror(gpx->file))
            fail(gpx, strerror(errno), NULL);
        else if (XML_Parse(gpx->parser, piece, (int)got, gpx->at_end) == XML_STATUS_ERROR)
            fail(gpx, XML_ErrorString(XML_GetErrorCode(gpx->parser)), NULL);
    }
    if (gpx->next == gpx->count)
        return false;
    *ret_point = gpx->points[gpx->next++];
    return true;
}

const char *gpx_fault(const struct gpx *gpx)
{
    return gpx->fault[0] ? gpx->fault : NULL;
}

void gpx_close(struct gpx *gpx)
{
    if (!gpx)
        return;
    if (gpx->file)
        fclose(gpx->file);
    if (gpx->parser)
        XML_ParserFree(gpx->parser);
    free(gpx->points);
    free(gpx);
}
