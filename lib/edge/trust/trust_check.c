/* SPDX-License-Identifier: MIT */
/* What an operator should know of files that are all right in form. */
#include "../tls/tls_file.h"
#include "expiry.h"
#include "trust_impl.h"

struct checking {
    const struct herd_trust *trust;
    const struct herd_config *config;
    herd_trust_report *report;
    void *ctx;
    int err;
};

static void tell(struct checking *checking, enum herd_config_trust member, int err,
                 const struct herd_tls_fault *fault)
{
    if (checking->err >= 0)
        checking->err = err;
    if (checking->report)
        checking->report(checking->ctx, member, err, fault);
}

static void check_identities(struct checking *checking)
{
    const struct herd_trust *trust = checking->trust;
    struct herd_tls_fault fault;
    if (!trust->identities) {
        if (checking->config->identities)
            return; /* a file for each server, and none in particular is meant */
        herd_tls_fail(&fault, "no_identities",
                      "no \"identities\": who can connect may report and ask for every client");
        tell(checking, HERD_CONFIG_IDENTITIES, 0, &fault);
    } else if (trust->mode == HERD_TLS_OFF && herd_identities_certificate_count(trust->identities) > 0) {
        herd_tls_fail(&fault, "identities_unproved",
                      "identities with \"cert\", and no \"tls\": no certificate is ever seen");
        tell(checking, HERD_CONFIG_IDENTITIES, 0, &fault);
    }
}

/* Tokens are refused where others can read them: who has phones in mind should know before they ask. */
static void check_http(struct checking *checking, int self)
{
    const struct herd_config *config = checking->config;
    const struct herd_trust *trust = checking->trust;
    struct herd_tls_fault fault;
    if (trust->mode != HERD_TLS_OFF || !trust->identities || herd_identities_token_count(trust->identities) == 0)
        return;
    for (size_t i = 0; i < config->server_count; i++) {
        const char *host = self < 0 || i == (size_t)self ? herd_config_http_reachable(&config->servers[i]) : NULL;
        if (!host || config->http.proxy_count > 0)
            continue;
        herd_tls_fail(&fault, "auth_in_clear",
                      "HTTP of %s on %s has no TLS: tokens are refused there, but from this machine and from "
                      "\"http.proxies\"",
                      config->servers[i].name, host);
        tell(checking, HERD_CONFIG_IDENTITIES, 0, &fault);
    }
}

/* Ids that strangers choose fill one bucket, and with it one herd, if they know how. */
static void check_buckets(struct checking *checking)
{
    const struct herd_config *config = checking->config;
    struct herd_tls_fault fault;
    if (config->shards.herd_count == 0 || config->shards.key_file || checking->trust->has_secret ||
        checking->trust->identities)
        return;
    herd_tls_fail(
        &fault, "buckets_without_key",
        "\"shards\" without a \"key_file\" (nor \"secret_file\", nor \"identities\"): everybody can tell which "
        "herd an id belongs to, and who chooses ids of clients can give them all to one herd");
    tell(checking, HERD_CONFIG_SHARDS_KEY, 0, &fault);
}

/* Neighbour `peer` of a server: whether it can prove its name. */
static void check_neighbour(struct checking *checking, size_t peer)
{
    const struct herd_config *config = checking->config;
    const struct herd_config_server *server = &config->servers[peer];
    struct herd_tls_fault fault;
    if (server->plain) {
        herd_tls_fail(&fault, "peer_not_proved", "neighbour %s is plain, and a plain neighbour proves nothing",
                      server->name);
        tell(checking, HERD_CONFIG_TLS, 0, &fault);
    } else if (config->psk_file && !herd_trust_has_key(checking->trust, server->name)) {
        bool refused = !config->tls.certificate;
        herd_tls_fail(&fault, "psk_missing", "no key for the pair with neighbour %s%s", server->name,
                      refused ? ", and no certificate: each will refuse the other"
                              : ": it has to prove itself with a certificate");
        tell(checking, HERD_CONFIG_PSK_FILE, refused ? HERD_E_NOTFOUND : 0, &fault);
    }
}

static void check_neighbours(struct checking *checking, size_t self)
{
    const struct herd_config *config = checking->config;
    struct herd_tls_fault fault;
    size_t count = 0;
    for (size_t i = 0; i < config->link_count; i++) {
        const struct herd_config_link *link = &config->links[i];
        if (link->a != self && link->b != self)
            continue;
        count++;
        if (checking->trust->tls)
            check_neighbour(checking, link->a == self ? link->b : link->a);
    }
    if (count == 0 || checking->trust->mode == HERD_TLS_REQUIRE)
        return;
    if (checking->trust->mode == HERD_TLS_ALLOW)
        herd_tls_fail(&fault, "peer_not_proved",
                      "mode allow: neighbours that prove nothing are let in; require refuses them");
    else if (checking->trust->identities)
        herd_tls_fail(&fault, "peer_not_proved",
                      "identities without \"tls\": who poses as a neighbour may report every client");
    else
        return;
    tell(checking, HERD_CONFIG_TLS, 0, &fault);
}

int herd_trust_check(const struct herd_trust *trust, const struct herd_config *config, int self, int64_t now_s,
                     herd_trust_report *report, void *ctx)
{
    static const enum herd_config_trust members[HERD_TLS_ENDS] = {HERD_CONFIG_TLS_CERTIFICATE, HERD_CONFIG_TLS_CA,
                                                                  HERD_CONFIG_TLS_CRL};
    struct checking checking = {.trust = trust, .config = config, .report = report, .ctx = ctx};
    struct herd_tls_end due;
    int64_t next_s;
    check_identities(&checking);
    check_http(&checking, self);
    check_buckets(&checking);
    if (self >= 0)
        check_neighbours(&checking, (size_t)self);
    for (size_t i = 0; i < HERD_TLS_ENDS; i++) {
        struct herd_tls_fault fault;
        if (herd_expiry_due(&trust->ends[i], 1, now_s, &due, &next_s) == 0)
            continue;
        herd_expiry_describe(&due, now_s, &fault);
        tell(&checking, members[i], 0, &fault);
    }
    return checking.err;
}
