# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Networks as an engine gives them to a container, for tests that need no container: a namespace, and a veth pair
# between it and one that stands for the world outside.

# network_create [COUNT]: the namespaces $inside and $outside with COUNT networks between them: in the Nth, inside is
# 10.88.N.2 and fd00:88:N::2, outside 10.88.N.1 and fd00:88:N::1. The first is the default route.
network_create() {
	local n
	inside=ocivirt-in-$BASHPID outside=ocivirt-out-$BASHPID
	ip netns add "$inside"
	ip netns add "$outside"
	ip -n "$inside" link set lo up
	ip -n "$outside" link set lo up
	for ((n = 0; n < ${1:-1}; n++)); do
		ip link add "eth$n" netns "$inside" mtu 1400 type veth peer name "eth$n" netns "$outside" mtu 1400
		ip -n "$inside" addr add "10.88.$n.2/24" dev "eth$n"
		ip -n "$outside" addr add "10.88.$n.1/24" dev "eth$n"
		ip -n "$inside" addr add "fd00:88:$n::2/64" dev "eth$n" nodad
		ip -n "$outside" addr add "fd00:88:$n::1/64" dev "eth$n" nodad
		ip -n "$outside" link set "eth$n" up
		ip -n "$inside" link set "eth$n" up
	done
	ip -n "$inside" route add default via 10.88.0.1
	ip -n "$inside" route add default via fd00:88:0::1
	within=(ip netns exec "$inside")
}

network_remove() {
	[[ -z ${inside-} ]] || ip netns del "$inside"
	[[ -z ${outside-} ]] || ip netns del "$outside"
}

# from_outside COMMAND...
from_outside() {
	ip netns exec "$outside" "$@"
}

# Whether QEMU connects to another passt when one has died: those before 8.0 do not.
qemu_takes_another_passt() {
	[[ $("qemu-system-$(uname -m)" --version) =~ version\ ([0-9]+) && ${BASH_REMATCH[1]} -ge 8 ]]
}

passt_pid() {
	jq '.helpers[-1].pid' "$root/instance.json"
}
