/* SPDX-License-Identifier: MIT */
/* Which routes there are. Of two with the same path the first that takes a request has it: the page stands before trackers. */
#include "http_impl.h"

const struct herd_http_module *const herd_http_modules[] = {
    /* clang-format off */
    &herd_http_clients,
    &herd_http_events,
    &herd_http_fences,
    &herd_http_health,
    &herd_http_listing,
    &herd_http_metrics,
    &herd_http_node,
    &herd_http_openapi,
    &herd_http_page,
    &herd_http_peers,
    &herd_http_places_near,
    &herd_http_recorder,
    &herd_http_trace,
    &herd_http_trackers,
    /* clang-format on */
};
const size_t herd_http_module_count = sizeof herd_http_modules / sizeof *herd_http_modules;

static_assert(sizeof herd_http_modules / sizeof *herd_http_modules <= HERD_HTTP_MODULES_MAX,
              "there is room for all");
