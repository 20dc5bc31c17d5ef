/* SPDX-License-Identifier: MIT */
/* Which libraries are under this one, at run time: a security fix in them shows here. */
#include <herd/server.h>

#include <curl/curl.h>
#include <event2/event.h>
#include <json-c/json.h>
#include <stdio.h>

const char *herd_dependency_versions(char text[HERD_DEPENDENCY_VERSIONS_MAX])
{
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    snprintf(text, HERD_DEPENDENCY_VERSIONS_MAX, "libevent %s, libcurl %s, %s, json-c %s", event_get_version(),
             curl->version, curl->ssl_version ? curl->ssl_version : "no TLS", json_c_version());
    return text;
}
