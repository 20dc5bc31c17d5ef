/* SPDX-License-Identifier: MIT */
/* What the server of this library may share with the places it makes. */
#ifndef HERD_EDGE_PLACES_NET_H
#define HERD_EDGE_PLACES_NET_H

struct herd_places;
struct herd_resolver;

/* Providers resolve names with this resolver, of which a reference is taken. */
void herd_places_set_resolver(struct herd_places *places, struct herd_resolver *resolver);

#endif
