/* SPDX-License-Identifier: MIT */
/* What a file is by its first bytes, if it can be neither GeoJSON nor a table. */
#include "reader.h"

#include <string.h>

static bool begins(struct herd_span bytes, const char *what, size_t len)
{
    return bytes.len >= len && memcmp(bytes.at, what, len) == 0;
}

/* Is the word there, in ASCII letters of either case? `word` has no byte above z, and is lower case. */
static bool holds(struct herd_span bytes, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i + len <= bytes.len; i++) {
        size_t k = 0;
        while (k < len && (bytes.at[i + k] | (word[k] >= 'a' ? 0x20 : 0)) == word[k])
            k++;
        if (k == len)
            return true;
    }
    return false;
}

static const char *markup(struct herd_span bytes)
{
    if (holds(bytes, "<!doctype html") || holds(bytes, "<html") || holds(bytes, "<head") || holds(bytes, "<body"))
        return "an HTML page: the download gave a page instead of the file";
    if (holds(bytes, "<gpx"))
        return "a GPX file: convert it to GeoJSON";
    if (holds(bytes, "<kml"))
        return "a KML file: convert it to GeoJSON";
    if (holds(bytes, "<osm"))
        return "an OpenStreetMap XML file: convert it to GeoJSON";
    return "an XML file: neither GeoJSON nor a table of GeoNames";
}

const char *herd_file_kind(struct herd_span bytes)
{
    static const struct {
        const char *magic;
        size_t len;
        const char *kind;
    } known[] = {
        {"\x1f\x8b", 2, "compressed with gzip: unpack it (gunzip)"},
        {"PK\x03\x04", 4, "a ZIP archive: unpack it (unzip)"},
        {"BZh", 3, "compressed with bzip2: unpack it (bunzip2)"},
        {"\xfd"
         "7zXZ",
         5, "compressed with xz: unpack it (unxz)"},
        {"\x28\xb5\x2f\xfd", 4, "compressed with Zstandard: unpack it (unzstd)"},
        {"version https://git-lfs", 23, "a pointer of Git LFS, not the file itself: git lfs pull"},
        {"\xff\xfe", 2, "UTF-16: convert it to UTF-8 (iconv)"},
        {"\xfe\xff", 2, "UTF-16: convert it to UTF-8 (iconv)"},
        {"SQLite format 3", 15, "an SQLite database (GeoPackage?): convert it to GeoJSON"},
        {"PAR1", 4, "a Parquet file: convert it to GeoJSON"},
        {"fgb", 3, "a FlatGeobuf file: convert it to GeoJSON"},
        {"%PDF", 4, "a PDF"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (begins(bytes, known[i].magic, known[i].len))
            return known[i].kind;
    struct herd_span text = bytes;
    while (text.len && *text.at && strchr(" \t\r\n", *text.at)) {
        text.at++;
        text.len--;
    }
    if (!text.len)
        return "empty file";
    if (*text.at == '<')
        return markup((struct herd_span){text.at, text.len < 1024 ? text.len : 1024});
    if (*text.at == '[')
        return "a JSON array, not GeoJSON: its features stand in an object, or each on a line of its own";
    /* Every second byte zero: UTF-16 without its mark. A zero elsewhere: no text at all. */
    if (bytes.len >= 4 && ((!bytes.at[0] && bytes.at[1] && !bytes.at[2] && bytes.at[3]) ||
                           (bytes.at[0] && !bytes.at[1] && bytes.at[2] && !bytes.at[3])))
        return "UTF-16: convert it to UTF-8 (iconv)";
    if (memchr(bytes.at, '\0', bytes.len < 4096 ? bytes.len : 4096))
        return "a binary file: neither GeoJSON nor a table of GeoNames";
    return NULL;
}
