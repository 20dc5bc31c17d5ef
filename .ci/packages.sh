# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced by the scripts that build: need PACKAGE... installs the Debian packages that are missing.
# want PACKAGE... does so only where that goes without removing another one; whoever needs them does without.
apt_options=()
need() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || {
            echo "These packages are missing, and neither root nor sudo is at hand: ${missing[*]}" >&2
            return 1
        }
        as_root=(sudo)
    fi
    echo "Installing: ${missing[*]}"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${apt_options[@]}" \
        "${missing[@]}" >/dev/null 2>&1 || {
        # The lists of a fresh machine are empty or old.
        "${as_root[@]}" apt-get update -qq
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${apt_options[@]}" \
            "${missing[@]}" >/dev/null
    }
}

# build DIR LOG [TARGET...]: ninja, with a counter on the terminal (elsewhere a line a quarter) and its words in LOG.
build() {
    local dir=$1 log=$2 line percent next=25
    shift 2
    : >"$log"
    NINJA_STATUS='[%f/%t] ' ninja -C "$dir" "$@" 2>&1 | while IFS= read -r line; do
        printf '%s\n' "$line" >>"$log"
        [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
        percent=$((100 * BASH_REMATCH[1] / BASH_REMATCH[2]))
        if [ -t 1 ]; then
            printf '\r  building: %s of %s ' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
        elif [ "$percent" -ge "$next" ]; then
            echo "  building: $percent %"
            next=$((percent / 25 * 25 + 25))
        fi
    done
    local status=${PIPESTATUS[0]}
    [ ! -t 1 ] || printf '\r%40s\r' ""
    return "$status"
}

want() {
    local apt_options=(--no-remove)
    need "$@" || echo "Without them some tests are skipped: $*"
}

# lend PACKAGE...: unpacks them below build/lent without installing them, if the system has them to download.
lend() {
    local package
    for package in "$@"; do
        [ -e "build/lent/$package" ] && continue
        echo "Fetching, not installing: $package"
        mkdir -p build/lent
        (cd build/lent && apt-get download -qq -o APT::Sandbox::User=root "$package" && dpkg-deb -x "$package"_*.deb . &&
            rm -f "$package"_*.deb && touch "$package") >/dev/null 2>&1 || echo "Without it some tests are skipped: $package"
    done
}

# shellcheck disable=SC2034 # used by those who source this
build_packages=(build-essential meson ninja-build pkg-config python3 libevent-dev libcurl4-openssl-dev libjson-c-dev libssl-dev)
