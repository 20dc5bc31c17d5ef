/* SPDX-License-Identifier: MIT */
/* The members of a configuration that say who is who: a fault of a file is shown where the file is named. */
#ifndef HERD_EDGE_CONFIG_TRUST_H
#define HERD_EDGE_CONFIG_TRUST_H

enum herd_config_trust {
    HERD_CONFIG_SECRET_FILE,
    HERD_CONFIG_IDENTITIES,
    HERD_CONFIG_PSK_FILE,
    HERD_CONFIG_TLS,
    HERD_CONFIG_TLS_CERTIFICATE,
    HERD_CONFIG_TLS_KEY,
    HERD_CONFIG_TLS_CA,
    HERD_CONFIG_TLS_CRL,
    HERD_CONFIG_SHARDS_KEY,
    HERD_CONFIG_TRUST_COUNT,
};

struct herd_config_server;
/* The first host on which others than this machine reach a server's HTTP; NULL: none. */
const char *herd_config_http_reachable(const struct herd_config_server *server);

#endif
