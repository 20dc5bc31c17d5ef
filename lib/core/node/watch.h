/* SPDX-License-Identifier: MIT */
/* What the server asks of a watcher besides the public calls. */
#ifndef HERD_CORE_WATCH_H
#define HERD_CORE_WATCH_H

struct herd_watch;

/* Makes the watcher see all records that the node has, in no particular order. */
void herd_watch_mark_all(struct herd_watch *watch);

#endif
