/* SPDX-License-Identifier: MIT */
/* What a link has to say: control lines first, then the newest value of each record that is due. */
#include "node_impl.h"

bool herd_session_wants(const struct herd_session *session)
{
    if (session->role != HERD_ROLE_LINK)
        return false;
    const struct herd_peer *peer = &session->node->peers[session->peer];
    return peer->pong_due || peer->ping_due || peer->reader.pending > 0;
}

static int say(bool *io_due, const char *line, struct herd_buf *out)
{
    if (!*io_due)
        return 0;
    int err = herd_buf_add_text(out, line);
    if (err >= 0)
        *io_due = false;
    return err;
}

int herd_session_fill(struct herd_session *session, size_t room, struct herd_now now, struct herd_buf *out)
{
    struct herd_node *node = session->node;
    node->now = now;
    if (session->role != HERD_ROLE_LINK)
        return 0;
    struct herd_peer *peer = &node->peers[session->peer];
    int err = say(&peer->pong_due, "PONG\n", out);
    if (err >= 0)
        err = say(&peer->ping_due, "PING\n", out);

    size_t start = out->len;
    while (err >= 0 && out->len - start < room) {
        uint32_t slot = herd_reader_take(&node->changes, &peer->reader);
        if (slot == HERD_NO_SLOT)
            break;
        err = herd_store_format(node->store, slot, out);
        if (err == HERD_E_NOTFOUND)
            err = 0; /* removed while it waited */
        else if (err < 0)
            herd_reader_mark(&node->changes, &peer->reader, slot);
        else
            node->counts.at_sent++;
    }
    return err;
}
