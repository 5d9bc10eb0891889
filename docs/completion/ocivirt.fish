# SPDX-License-Identifier: LGPL-2.1-or-later
# fish completion for ocivirt(1)

# Whether one of the words in $argv is the command; without a command it is "run".
function __ocivirt_command
    set -l words (commandline -opc)
    set -l command run
    if set -q words[2]; and not string match -q -- '-*' $words[2]
        set command $words[2]
    end
    contains -- $command $argv
end

function __ocivirt_first
    test (count (commandline -opc)) -eq 1
end

complete -c ocivirt -f

complete -c ocivirt -n __ocivirt_first -a run -d 'Boot the VM that a config.json describes'
complete -c ocivirt -n __ocivirt_first -a validate -d 'Report all that is wrong with a config.json'
complete -c ocivirt -n __ocivirt_first -a xml -d 'Print the domain XML that run would start'
complete -c ocivirt -n __ocivirt_first -a prime -d 'Probe QEMU now, so that a start is fast'
complete -c ocivirt -n __ocivirt_first -a help -d 'Show the commands'
complete -c ocivirt -n __ocivirt_first -a version -d 'Show the version'
complete -c ocivirt -n __ocivirt_first -s V -l version -d 'Show the version'

set -l config '__ocivirt_command run xml validate'
complete -c ocivirt -n $config -s b -l bundle -x -a '(__fish_complete_directories)' -d 'Directory with a config.json'
complete -c ocivirt -n $config -s c -l config -r -F -d 'The config.json itself; - is standard input'
complete -c ocivirt -n '__ocivirt_command run xml validate prime' -l root -x -a '(__fish_complete_directories)' -d 'Where all state is kept'
complete -c ocivirt -n '__ocivirt_command run xml' -l id -x -d 'Name of the VM'
complete -c ocivirt -n '__ocivirt_command run' -l timings -d 'Tell how long each part of the start takes'

set -l all '__ocivirt_command run xml validate prime'
complete -c ocivirt -n $all -l log-format -x -a 'text json' -d 'How ocivirt\'s own messages look'
complete -c ocivirt -n $all -s v -l verbose -d 'Tell more'
complete -c ocivirt -n $all -s q -l quiet -d 'Tell errors only'
complete -c ocivirt -n $all -s h -l help -d 'Show the options'
