# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for ocivirt(1); needs nothing but bash.

_ocivirt()
{
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    # "--root=DIR" comes as the three words "--root", "=" and "DIR".
    if [[ $current == "=" ]]; then
        current=""
    elif [[ $previous == "=" ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi

    # The command is the first word or nowhere; without one it is "run".
    local command=${COMP_WORDS[1]}
    [[ $COMP_CWORD -gt 1 && $command != -* ]] || command=run

    COMPREPLY=()
    case $previous in
    -b | --bundle | --root)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
        ;;
    -c | --config)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --format)
        local formats="text json"
        [[ $command != state ]] || formats=json
        mapfile -t COMPREPLY < <(compgen -W "$formats" -- "$current")
        return
        ;;
    --log-format)
        mapfile -t COMPREPLY < <(compgen -W "text json" -- "$current")
        return
        ;;
    --id | -t | --timeout | -e | --env) return ;;
    esac

    local words="-h --help -v --verbose -q --quiet --log-format"
    case $command in
    run) words+=" -b --bundle -c --config --root --id --timings" ;;
    xml) words+=" -b --bundle -c --config --root --id" ;;
    validate) words+=" -b --bundle -c --config --root --strict --format" ;;
    state) words+=" --root --format" ;;
    stop) words+=" --root -t --timeout" ;;
    events | stats | addresses) words+=" --root --format" ;;
    health) words+=" --root --live --ready --startup" ;;
    exec) words+=" --root -e --env -i --interactive -t --timeout" ;;
    prime | wait | kill | pause | resume | reset | reboot | console | freeze | thaw) words+=" --root" ;;
    *) return ;;
    esac
    if [[ $COMP_CWORD -eq 1 ]]; then
        if [[ $current == -* ]]; then
            words+=" -V --version"
        else
            words="run validate xml state wait stop kill pause resume reset reboot console events stats health exec addresses freeze thaw prime help version"
        fi
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _ocivirt ocivirt
