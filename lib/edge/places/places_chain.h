/* SPDX-License-Identifier: MIT */
/* A flight's way along the chain of providers. */
#ifndef HERD_EDGE_PLACES_CHAIN_H
#define HERD_EDGE_PLACES_CHAIN_H

#include "places_types.h"

/* Takes a flight on from state CHOOSING or ENDED until it waits for something or is over; then it is freed. */
void places_drive(struct herd_provider_call *flight);
/* RUNNING -> ENDED: the provider has ended the look-up and its result is in the flight. Drives it on, unless that
 * is inside the provider's start, whose caller does. */
void places_ended(struct herd_provider_call *flight);
/* Starts waiting flights wherever a provider has room. From inside itself it only notes to start over. */
void places_pump(struct herd_places *places);
/* -> FINISHED: takes a flight off its provider or queue, without an answer. */
void places_abandon(struct herd_provider_call *flight);

#endif
