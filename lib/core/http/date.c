/* SPDX-License-Identifier: MIT */
/* Dates as HTTP writes them. */
#include "response.h"

#include <string.h>

#define DAY_S        86400
#define ERA_DAYS     146097 /* of 400 years */
#define MARCH_0000   719468 /* days from 0000-03-01 to 1970-01-01 */
#define THURSDAY     4      /* 1970-01-01 */
#define MARCH_MONTHS 153    /* days of the five months from March on, over and over */

static char *put2(char *p, unsigned value)
{
    p[0] = (char)('0' + value / 10);
    p[1] = (char)('0' + value % 10);
    return p + 2;
}

/* Years begin with March here, so that the day that leap years have more is the last of one. */
static void civil(int64_t days, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    days += MARCH_0000;
    int64_t era = (days >= 0 ? days : days - (ERA_DAYS - 1)) / ERA_DAYS;
    unsigned day = (unsigned)(days - era * ERA_DAYS);
    unsigned year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    unsigned month = (5 * day + 2) / MARCH_MONTHS; /* 0: March */
    *ret_day = day - (MARCH_MONTHS * month + 2) / 5;
    *ret_month = month < 10 ? month + 2 : month - 10; /* 0: January */
    *ret_year = (unsigned)(year + era * 400) + (*ret_month < 2);
}

void herd_http_date_put(char to[HERD_HTTP_DATE_BYTES], int64_t wall_ns)
{
    static const char weekdays[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t s = wall_ns / 1000000000 - (wall_ns % 1000000000 < 0);
    int64_t days = s / DAY_S - (s % DAY_S < 0);
    unsigned of_day = (unsigned)(s - days * DAY_S), year, month, day;
    civil(days, &year, &month, &day);
    memcpy(to, weekdays + 3 * ((days % 7 + 7 + THURSDAY) % 7), 3);
    memcpy(to + 3, ", ", 2);
    char *p = put2(to + 5, day + 1);
    *p++ = ' ';
    memcpy(p, months + 3 * month, 3);
    p[3] = ' ';
    p = put2(put2(p + 4, year / 100), year % 100);
    *p++ = ' ';
    p = put2(p, of_day / 3600);
    *p++ = ':';
    p = put2(p, of_day / 60 % 60);
    *p++ = ':';
    p = put2(p, of_day % 60);
    memcpy(p, " GMT", 4);
}
