/* SPDX-License-Identifier: MIT */
/* What the server of this library may share with the places it makes. */
#ifndef HERD_EDGE_PLACES_NET_H
#define HERD_EDGE_PLACES_NET_H

struct event_base;
struct herd_config;
struct herd_diagnostic;
struct herd_log;
struct herd_places;
struct herd_resolver;

/* Providers resolve names with this resolver, of which a reference is taken. */
void herd_places_set_resolver(struct herd_places *places, struct herd_resolver *resolver);

/* As herd_places_new, for a loop that serves meanwhile: of a file only the first 64 KiB are checked, a thread reads
 * the rest. Look-ups wait for it as they do for a provider that is busy. A fault found later is logged, and the
 * provider is passed over until a reload repairs it. */
int herd_places_renew(struct herd_places **ret_places, struct event_base *base, const struct herd_config *config,
                      struct herd_log *log, struct herd_diagnostic *reterr_diagnostic);

#endif
