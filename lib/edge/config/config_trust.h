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
    HERD_CONFIG_TRUST_COUNT,
};

#endif
