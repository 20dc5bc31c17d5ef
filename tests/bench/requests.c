/* SPDX-License-Identifier: MIT */
/* Writes requests of fixed width and recognises right replies, for every mode. */
#include "requests.h"

#include "edge.h"

#include <stdio.h>
#include <string.h>

#define HOLE_NONE SIZE_MAX
#define ID_HEAD   8 /* "vehicle-" */
#define ID_DIGITS 7
#define LAT_BYTES 10   /* of a place, its sign included */
#define STEP_NS   1009 /* between two reports; prime, so that every decimal moves */

/* %i id, %l its length, %a latitude, %o longitude, %p the ISO 6709 pair, %t time, %s accepting server.
 * Before every %a stands its sign. A place takes 21 bytes and a time 20, so "place time" is always 42. */
static const struct {
    const char *name, *format;
} modes[MODE_COUNT] = {
    [MODE_ECHO] = {"echo", "IAMAT %i %p %t\n"},
    [MODE_IAMAT] = {"iamat", "IAMAT %i %p %t\n"},
    [MODE_WHATSAT] = {"whatsat", "WHATSAT %i 10 5\n"},
    [MODE_AT] = {"at", "AT %s +0.263873386 %i %p %t\n"},
    [MODE_REDIS_SET] = {"redis-set", "*3\r\n$3\r\nSET\r\n$%l\r\n%i\r\n$42\r\n%p %t\r\n"},
    [MODE_REDIS_GEOADD] = {"redis-geoadd",
                           "*5\r\n$6\r\nGEOADD\r\n$4\r\nherd\r\n$11\r\n%o\r\n$10\r\n+%a\r\n$%l\r\n%i\r\n"},
    [MODE_REDIS_GEOSEARCH] =
        {"redis-geosearch",
         "*11\r\n$9\r\nGEOSEARCH\r\n$4\r\nherd\r\n$10\r\nFROMLONLAT\r\n$11\r\n%o\r\n$10\r\n+%a\r\n"
         "$8\r\nBYRADIUS\r\n$2\r\n10\r\n$2\r\nkm\r\n$3\r\nASC\r\n$5\r\nCOUNT\r\n$1\r\n5\r\n"},
    [MODE_NEAR] = {"near", "NEAR %p 5 1000\n"},
    [MODE_REDIS_NEAR] = {"redis-near",
                         "*12\r\n$9\r\nGEOSEARCH\r\n$4\r\nherd\r\n$10\r\nFROMLONLAT\r\n$11\r\n%o\r\n$10\r\n+%a\r\n"
                         "$8\r\nBYRADIUS\r\n$1\r\n5\r\n$2\r\nkm\r\n$3\r\nASC\r\n$5\r\nCOUNT\r\n$4\r\n1000\r\n"
                         "$8\r\nWITHDIST\r\n"},
    [MODE_MEMCACHED_SET] = {"memcached-set", "set %i 0 0 42\r\n%p %t\r\n"},
};

int request_mode_of(const char *name, enum request_mode *ret_mode)
{
    size_t i;

    for (i = 0; i < MODE_COUNT; i++)
        if (strcmp(modes[i].name, name) == 0) {
            *ret_mode = (enum request_mode)i;
            return 0;
        }
    return -1;
}

const char *request_mode_name(enum request_mode mode)
{
    return modes[mode].name;
}

uint64_t random_next(uint64_t *io_state)
{
    uint64_t z = *io_state += 0x9e3779b97f4a7c15U;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static void append(struct request_plan *plan, const char *bytes, size_t len)
{
    if (plan->stride + len > sizeof(plan->text))
        die("a request does not fit");
    memcpy(plan->text + plan->stride, bytes, len);
    plan->stride += len;
}

void request_plan_init(struct request_plan *plan)
{
    const char *id = plan->id_bytes == 20 ? "vehicle-0000000.test" : "vehicle-0000000.herd.example";
    const char *format;
    char number[16];

    plan->stride = 0;
    plan->id_at = plan->lat_at = plan->lon_at = plan->time_at = HOLE_NONE;
    for (format = modes[plan->mode].format; *format != '\0'; format++) {
        if (*format != '%') {
            append(plan, format, 1);
            continue;
        }
        switch (*++format) {
        case 'i':
            plan->id_at = plan->stride + ID_HEAD;
            append(plan, id, strlen(id));
            break;
        case 'l': append(plan, number, (size_t)snprintf(number, sizeof(number), "%zu", strlen(id))); break;
        case 'p': /* the sign, then what %a and %o write */
            append(plan, "+", 1);
            plan->lat_at = plan->stride + 3;
            append(plan, "34.000000", 9);
            plan->lon_at = plan->stride + 5;
            append(plan, "-118.000000", 11);
            break;
        case 'a':
            plan->lat_at = plan->stride + 3;
            append(plan, "34.000000", 9);
            break;
        case 'o':
            plan->lon_at = plan->stride + 5;
            append(plan, "-118.000000", 11);
            break;
        case 't':
            plan->time_at = plan->stride;
            append(plan, "0000000000.000000000", 20);
            break;
        default: append(plan, plan->server, strlen(plan->server)); break;
        }
    }
}

static void digits(char *out, size_t count, uint64_t value)
{
    while (count-- > 0) {
        out[count] = (char)('0' + value % 10);
        value /= 10;
    }
}

void request_write(const struct request_plan *plan, char *out, uint64_t id, uint64_t sequence, uint64_t random)
{
    memcpy(out, plan->text, plan->stride);
    if (plan->id_at != HOLE_NONE)
        digits(out + plan->id_at, ID_DIGITS, id);
    if (plan->places != NULL && plan->lat_at != HOLE_NONE) {
        const char *place = plan->places + id * PLACE_BYTES;

        memcpy(out + plan->lat_at - 4, place, LAT_BYTES);
        memcpy(out + plan->lon_at - 5, place + LAT_BYTES, PLACE_BYTES - LAT_BYTES);
    } else if (plan->lat_at != HOLE_NONE) {
        digits(out + plan->lat_at, 6, (random & 0xffffffffU) % 1000000);
        digits(out + plan->lon_at, 6, (random >> 32) % 1000000);
    }
    if (plan->time_at != HOLE_NONE) {
        uint64_t ns = (uint64_t)plan->time_ns + sequence * STEP_NS;

        digits(out + plan->time_at, 10, ns / 1000000000);
        digits(out + plan->time_at + 11, 9, ns % 1000000000);
    }
}

/* Where the line begins that is after this one; 0: the line is not whole. */
static size_t line_end(const char *at, size_t len)
{
    const char *end = memchr(at, '\n', len);

    return end == NULL ? 0 : (size_t)(end - at) + 1;
}

static long literal_cut(const char *at, size_t len, const char *wanted)
{
    size_t wanted_len = strlen(wanted);

    if (memcmp(at, wanted, len < wanted_len ? len : wanted_len) != 0)
        return -1;
    return len < wanted_len ? 0 : (long)wanted_len;
}

/* AT server diff, then byte copies of what was sent: everything from the blank before the id. */
static long iamat_cut(const struct request_plan *plan, const char *at, size_t len, const char *request)
{
    size_t end = line_end(at, len), copy = plan->stride - 5;

    if (end == 0)
        return 0;
    if (end < 3 + copy || memcmp(at, "AT ", 3) != 0 || memcmp(at + end - copy, request + 5, copy) != 0)
        return -1;
    return (long)end;
}

/* The AT line of the client asked for, JSON, and an empty line; JSON has no empty line in it. */
static long whatsat_cut(const struct request_plan *plan, const char *at, size_t len, const char *request)
{
    size_t end = line_end(at, len);
    const char *last;

    if (end == 0)
        return 0;
    if (end < 3 || memcmp(at, "AT ", 3) != 0 || memmem(at, end, request + 7, plan->id_bytes + 2) == NULL)
        return -1;
    last = memmem(at + end, len - end, "\n\n", 2);
    if (last == NULL)
        return 0;
    return at[end] == '{' ? last + 2 - at : -1;
}

/* An array of one to five clients; the places that are asked about are theirs, so there is always one. */
static long array_cut(const char *at, size_t len)
{
    size_t used = line_end(at, len), n;
    unsigned i, lines;

    if (used == 0)
        return 0;
    if (used != 4 || at[0] != '*' || at[1] < '1' || at[1] > '5')
        return -1;
    lines = 2U * (unsigned)(at[1] - '0');
    for (i = 0; i < lines; i++) {
        n = line_end(at + used, len - used);
        if (n == 0)
            return 0;
        if (at[used] != (i % 2 == 0 ? '$' : 'v'))
            return -1;
        used += n;
    }
    return (long)used;
}

/* A line for each client, and a last one that counts them; there is always one, at the very place that is asked about. */
static long near_cut(const char *at, size_t len)
{
    size_t used = 0, n;
    unsigned count;

    for (count = 0;; count++) {
        n = line_end(at + used, len - used);
        if (n == 0)
            return 0;
        if (n < 10 || memcmp(at + used, "NEAR ", 5) != 0)
            return -1;
        if (at[used + 5] == 'E' || at[used + 5] == 'M')
            return count > 0 ? (long)(used + n) : -1;
        if (at[used + 5] < '0' || at[used + 5] > '9')
            return -1;
        used += n;
    }
}

/* An array of pairs of a client and its distance. */
static long pairs_cut(const char *at, size_t len)
{
    size_t used = line_end(at, len), n;
    unsigned i, count;

    if (used == 0)
        return 0;
    if (sscanf(at, "*%u\r", &count) != 1 || count == 0 || count > 1000)
        return -1;
    for (i = 0; i < 5 * count; i++) {
        n = line_end(at + used, len - used);
        if (n == 0)
            return 0;
        if (i % 5 == 2 ? at[used] != 'v' : i % 5 == 0 && at[used] != '*')
            return -1;
        used += n;
    }
    return (long)used;
}

long reply_cut(const struct request_plan *plan, const char *at, size_t len, const char *request)
{
    switch (plan->mode) {
    case MODE_ECHO:
        if (len < plan->stride)
            return 0;
        return memcmp(at, request, plan->stride) == 0 ? (long)plan->stride : -1;
    case MODE_IAMAT: return iamat_cut(plan, at, len, request);
    case MODE_WHATSAT: return whatsat_cut(plan, at, len, request);
    case MODE_REDIS_SET: return literal_cut(at, len, "+OK\r\n");
    case MODE_REDIS_GEOADD: return literal_cut(at, len, len > 1 && at[1] == '1' ? ":1\r\n" : ":0\r\n");
    case MODE_REDIS_GEOSEARCH: return array_cut(at, len);
    case MODE_NEAR: return near_cut(at, len);
    case MODE_REDIS_NEAR: return pairs_cut(at, len);
    case MODE_MEMCACHED_SET: return literal_cut(at, len, "STORED\r\n");
    case MODE_AT:
    case MODE_COUNT: break;
    }
    return -1;
}
