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
complete -c ocivirt -n __ocivirt_first -a state -d 'Print the state of a VM'
complete -c ocivirt -n __ocivirt_first -a wait -d 'Wait until a VM has ended, and print its exit status'
complete -c ocivirt -n __ocivirt_first -a stop -d 'Ask a guest to power off, and wait until it has'
complete -c ocivirt -n __ocivirt_first -a kill -d 'End a VM at once'
complete -c ocivirt -n __ocivirt_first -a pause -d 'Halt a guest'
complete -c ocivirt -n __ocivirt_first -a resume -d 'Let a paused guest go on'
complete -c ocivirt -n __ocivirt_first -a reset -d 'Reset a machine, without asking its guest'
complete -c ocivirt -n __ocivirt_first -a reboot -d 'Ask a guest to reboot'
complete -c ocivirt -n __ocivirt_first -a console -d 'Attach to a guest\'s console'
complete -c ocivirt -n __ocivirt_first -a events -d 'Print what happens to a VM'
complete -c ocivirt -n __ocivirt_first -a stats -d 'Print a VM\'s statistics'
complete -c ocivirt -n __ocivirt_first -a health -d 'Tell whether a VM is ready'
complete -c ocivirt -n __ocivirt_first -a exec -d 'Run a command in a guest'
complete -c ocivirt -n __ocivirt_first -a addresses -d 'Print the addresses of a guest'
complete -c ocivirt -n __ocivirt_first -a freeze -d 'Hold the file systems of a guest'
complete -c ocivirt -n __ocivirt_first -a thaw -d 'Let the file systems of a guest go on'
complete -c ocivirt -n __ocivirt_first -a prime -d 'Probe QEMU now, so that a start is fast'
complete -c ocivirt -n __ocivirt_first -a help -d 'Show the commands'
complete -c ocivirt -n __ocivirt_first -a version -d 'Show the version'
complete -c ocivirt -n __ocivirt_first -s V -l version -d 'Show the version'

set -l config '__ocivirt_command run xml validate'
complete -c ocivirt -n $config -s b -l bundle -x -a '(__fish_complete_directories)' -d 'Directory with a config.json'
complete -c ocivirt -n $config -s c -l config -r -F -d 'The config.json itself; - is standard input'
complete -c ocivirt -n '__ocivirt_command run xml validate state prime wait stop kill pause resume reset reboot console events stats health exec addresses freeze thaw' -l root -x -a '(__fish_complete_directories)' -d 'Where all state is kept'
complete -c ocivirt -n '__ocivirt_command run xml' -l id -x -d 'Name of the VM'
complete -c ocivirt -n '__ocivirt_command run' -l timings -d 'Tell how long each part of the start takes'
complete -c ocivirt -n '__ocivirt_command validate' -l strict -d 'What is not honoured is an error, too'
complete -c ocivirt -n '__ocivirt_command validate' -l format -x -a 'text json' -d 'How the report looks'
complete -c ocivirt -n '__ocivirt_command events stats addresses' -l format -x -a 'text json' -d 'How the output looks'
complete -c ocivirt -n '__ocivirt_command stop' -s t -l timeout -x -d 'How long the guest may take'
complete -c ocivirt -n '__ocivirt_command health' -l live -d 'Is it alive?'
complete -c ocivirt -n '__ocivirt_command health' -l ready -d 'Is it ready?'
complete -c ocivirt -n '__ocivirt_command health' -l startup -d 'Has it been ready?'
complete -c ocivirt -n '__ocivirt_command exec' -s e -l env -x -d 'A variable for the command'
complete -c ocivirt -n '__ocivirt_command exec' -s i -l interactive -d 'Give it our standard input'
complete -c ocivirt -n '__ocivirt_command exec' -s t -l timeout -x -d 'How long to wait for its end'
complete -c ocivirt -n '__ocivirt_command state' -l format -x -a json -d 'How the state looks'

set -l all '__ocivirt_command run xml validate state prime wait stop kill pause resume reset reboot console events stats health exec addresses freeze thaw'
complete -c ocivirt -n $all -l log-format -x -a 'text json' -d 'How ocivirt\'s own messages look'
complete -c ocivirt -n $all -s v -l verbose -d 'Tell more'
complete -c ocivirt -n $all -s q -l quiet -d 'Tell errors only'
complete -c ocivirt -n $all -s h -l help -d 'Show the options'
