# SPDX-License-Identifier: MIT
# bash completion of herd-server(1)

_herd_server() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} config=() i
    case $previous in
    -c | --config | -l | --log)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    esac
    [[ $previous == --token ]] && return # a name that is made up
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '-c --config -l --log --check --print-config --status --verify --token -h --help -V --version' -- "$current")
        return
    fi
    # Names of the servers, as the program itself reads them from the configuration given so far.
    for ((i = 1; i < COMP_CWORD - 1; i++)); do
        [[ ${COMP_WORDS[i]} == -c || ${COMP_WORDS[i]} == --config ]] && config=(--config "${COMP_WORDS[i + 1]}")
    done
    mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" "${config[@]}" --print-config 2>/dev/null |
        sed -n '/"servers"/,/^  }/s/^    "\([^"]*\)".*/\1/p')" -- "$current")
}
complete -F _herd_server herd-server
