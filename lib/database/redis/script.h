/* SPDX-License-Identifier: MIT */
/*
 * What Redis does with a batch, in Lua. Each row is written unless its key has a later value; behind them, what the
 * writer says of itself. Nothing else of Redis runs meanwhile.
 *
 *     KEYS  writers, geo, a key for each row
 *     ARGV  server ("": says nothing), what it says, length of the prefix of keys ("0": no index of places),
 *           for each row its value and when it goes in ms of POSIX time ("": never), with an index its longitude and latitude
 *           ("", "": a tombstone)
 *
 * It answers with the number of rows that were later, or a text: "BAD ..." a row is not taken, "KEY ..." something of
 * the herd's own is not what it was. An error of a command is given as it is. Then nothing is written of the writer.
 */
#ifndef HERD_REDIS_SCRIPT_H
#define HERD_REDIS_SCRIPT_H

/* Of one call: Redis does nothing else until all are done. */
#define HERD_REDIS_SCRIPT_ROWS 100

extern const char herd_redis_script[];

#endif
