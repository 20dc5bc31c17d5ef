/* SPDX-License-Identifier: MIT */
/*
 * Posts events of fences to a URL, from the one server that the configuration names.
 *
 *     POST url
 *     Content-Type: application/json
 *     Herd-Signature: sha256=HEX          HMAC-SHA256 of the body, with a secret
 *     {"server":"Oslo","events":[{"event":"ID","fence":..., "kind":..., ...}, ...]}
 *
 * Any 2xx takes them. Else they are posted again, with the same ids, after a wait that doubles from one second to a minute,
 * or as Retry-After says; in the order in which they happened, one request at a time, HERD_WEBHOOK_BATCH of them or fewer. So
 * an event is posted at least once as long as the process lives. What waits is bounded in number and bytes: where it is full,
 * later events are dropped, counted, and told of. What is lost when the process ends is what waits then.
 */
#ifndef HERD_EDGE_SERVER_WEBHOOK_H
#define HERD_EDGE_SERVER_WEBHOOK_H

#include <herd/area.h>
#include <herd/config.h>

struct herd_server;
struct herd_webhook;

#define HERD_WEBHOOK_BATCH           100
#define HERD_WEBHOOK_QUEUE_MAX_BYTES (16u << 20)
#define HERD_WEBHOOK_SECRET_MAX      1024

struct herd_webhook_stats {
    size_t queued;
    uint64_t posted, dropped, failures;
};

/* Makes it if it is this server's, or takes it over another configuration; frees it if it is no longer. What waits goes to a new
 * URL at once, with what was under way to the old one. After an error all is
 * as it was. */
int herd_webhook_configure(struct herd_server *server, const struct herd_config *config,
                           struct herd_diagnostic *reterr_diagnostic);
/* Logs what is lost. */
void herd_webhook_close(struct herd_server *server);
struct herd_webhook_stats herd_webhook_stats(const struct herd_webhook *webhook);

/* ---- webhook_secret.c ---- */

/* Reads the first line of a file; owned, herd_webhook_secret_free. HERD_E_UNSUPPORTED: the library has no OpenSSL;
 * HERD_E_SYNTAX: no secret in the file; HERD_E_IO, HERD_E_ACCESS, HERD_E_NOMEM; each with a sentence. */
int herd_webhook_secret_read(const char *path, char **ret_secret, size_t *ret_len,
                             struct herd_diagnostic *reterr_diagnostic);
/* NULL is fine. */
void herd_webhook_secret_free(char *secret, size_t len);
/* Reads the secret that a configuration names, if any, and forgets it: `herd-server --check` and a reload. Errors as above. */
int herd_webhook_check(const struct herd_config *config, struct herd_diagnostic *reterr_diagnostic);

/* ---- webhook_sign.c, or webhook_unsigned.c without OpenSSL ---- */

#define HERD_WEBHOOK_SIGNATURE_SIZE 65
bool herd_webhook_can_sign(void);
/* HMAC-SHA256 as hexadecimal digits, NUL-terminated. HERD_E_NOMEM, HERD_E_UNSUPPORTED. */
int herd_webhook_sign(struct herd_span secret, struct herd_span body, char ret_hex[HERD_WEBHOOK_SIGNATURE_SIZE]);

#endif
