# SPDX-License-Identifier: MIT
# fish completion of herd-server(1)

function __herd_server_names
    set -l words (commandline -opc)
    set -l config
    for i in (seq (count $words))
        if contains -- $words[$i] -c --config
            set config --config $words[(math $i + 1)]
        end
    end
    herd-server $config --print-config 2>/dev/null | sed -n '/"servers"/,/^  }/s/^    "\([^"]*\)".*/\1/p'
end

complete -c herd-server -f -a '(__herd_server_names)'
complete -c herd-server -s c -l config -r -F -d 'The herd (JSON)'
complete -c herd-server -s l -l log -r -F -d 'Where to log'
complete -c herd-server -l check -d 'Validate the configuration'
complete -c herd-server -l print-config -d 'Print the configuration in force'
complete -c herd-server -l status -d 'Ask running servers how they are'
complete -c herd-server -l verify -d 'The same; fail unless all hold the same state'
complete -c herd-server -l token -x -d 'Print a new token'
complete -c herd-server -s h -l help -d 'A summary of the options'
complete -c herd-server -s V -l version -d 'Versions'
