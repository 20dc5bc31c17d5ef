/* SPDX-License-Identifier: MIT */
/* Entity tags (RFC 9110, 8.8.3) in the value of If-None-Match. */
#ifndef HERD_CORE_HTTP_ENTITY_TAG_H
#define HERD_CORE_HTTP_ENTITY_TAG_H

#include <herd/types.h>

/* Whether the list names `tag`, which is given with its quotes and not weak: compared weakly, so that W/ in front of one in
 * the list is not looked at (13.1.2); or is `*`, which stands for whatever there is. What is no entity tag in the list
 * ends it: nothing behind it counts. */
bool herd_http_tag_listed(struct herd_span list, struct herd_span tag);

#endif
