/* SPDX-License-Identifier: MIT */
/*
 * All of libherd. Each header can be included alone:
 *
 *     types.h      spans, buffers, errors, and the contract that holds everywhere
 *     geo.h        positions as ISO 6709 text
 *     identity.h   who may report and ask for which clients
 *     timestamp.h  time stamps and clock differences as text
 *     protocol.h   lines into commands and back
 *     shard.h      clients spread over several herds
 *     store.h      the newest record of each client, in one total order
 *     node.h       a node without sockets: bytes and time in, bytes and effects out
 *     log.h        the log of a server
 *     config.h     a herd described in JSON
 *     places.h     places near a point: providers
 *     area.h       who is near, and who crosses a fence
 *     geojson.h    shapes and fences from GeoJSON
 *     database.h   what an adapter for a database beside a herd does
 *     server.h     a node on a libevent loop
 *     client.h     a client of a herd, on a libevent loop
 */
#ifndef HERD_HERD_H
#define HERD_HERD_H

#include <herd/area.h>
#include <herd/client.h>
#include <herd/config.h>
#include <herd/database.h>
#include <herd/geo.h>
#include <herd/geojson.h>
#include <herd/identity.h>
#include <herd/log.h>
#include <herd/node.h>
#include <herd/places.h>
#include <herd/protocol.h>
#include <herd/server.h>
#include <herd/shard.h>
#include <herd/store.h>
#include <herd/timestamp.h>
#include <herd/types.h>

#endif
