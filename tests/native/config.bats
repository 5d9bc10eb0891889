#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# A wrong config.json: status 78, every problem with its place and what would be right, and nothing happens.

load helpers
setup() { common_setup; }
teardown() { common_teardown; }

# The root directory is there already, and has to stay empty.
refused() {
	run -78 --separate-stderr "$ocivirt" run --bundle "$bundle" --root "$root"
	[[ -z $output ]]
	printf '%s\n' "$stderr" >"$err"
	[[ -z $(ls -A "$root") ]]
	for pattern; do
		has "$pattern" "$err"
	done
}

# wrong FILTER PATTERN...: a config with one mistake.
wrong() {
	config "$1"
	shift
	refused "$@"
}

@test "not JSON" {
	printf '{\n  "ociVersion": "1.3.0",\n  "vm": }\n' >"$bundle/config.json"
	refused 'config.json:3:[0-9]+: not valid JSON'
	: >"$bundle/config.json"
	refused 'config.json:1:[0-9]+: not valid JSON'
	echo '[]' >"$bundle/config.json"
	refused 'config.json:1:1: must be a JSON object'
	printf '{"a": 1,\n "a": 2}' >"$bundle/config.json"
	refused 'config.json:2:[0-9]+: not valid JSON: duplicate object key'
}

@test "no file, no permission, a folder, too large a file" {
	refused "cannot open $bundle/config.json: No such file"
	mkdir "$bundle/config.json"
	refused "cannot read $bundle/config.json: Is a directory"
	rmdir "$bundle/config.json"
	head -c 5000000 /dev/zero | tr '\0' ' ' >"$bundle/config.json"
	refused 'larger than 4 MiB'
}

@test "wrong types, at depth" {
	wrong '.vm.kernel.parameters = ["a", 2]' 'config.json:[0-9]+:[0-9]+: vm.kernel.parameters\[1\]: must be a string, and is an integer'
	wrong '.linux.resources.memory.limit = "1G"' 'linux.resources.memory.limit: must be an integer'
	wrong '.vm.hwConfig.vcpus = -1' 'vm.hwConfig.vcpus: must be from 1 to 255, and is -1'
	wrong '.vm.hwConfig.vcpus = 4294967296' 'vm.hwConfig.vcpus: must be from 1 to 255'
	wrong '.annotations.a = true' 'annotations.a: must be a string'
}

@test "versions" {
	wrong 'del(.ociVersion)' 'config.json:1:1: ociVersion: is missing'
	wrong '.ociVersion = "1.3"' 'config.json:2:[0-9]+: ociVersion: "1.3" is not a version'
	wrong '.ociVersion = "2.0.0"' 'ociVersion: "2.0.0" is not supported; any 1.x.y'
}

@test "files that are not there" {
	wrong '.vm.kernel.path = "/nonexistent/vmlinuz"' 'config.json:[0-9]+:[0-9]+: vm.kernel.path: .*/nonexistent/vmlinuz: No such file.*correct the path'
	wrong '.vm.kernel.initrd = "nonexistent"' "vm.kernel.initrd: .*$bundle/nonexistent: No such file"
	wrong '.vm.kernel.path = "/etc"' 'vm.kernel.path: /etc is a directory'
	wrong '.vm.kernel.path = "vmlinuz"' "vm.kernel.path: \"vmlinuz\" must be an absolute path; .*$bundle/vmlinuz"
	wrong '.vm.image = {path: "/nonexistent.qcow2", format: "qcow"}' '"qcow" is not one of .*did you mean qcow2' 'vm.image.path: .*/nonexistent.qcow2: No such file'
}

@test "nothing to boot" {
	wrong 'del(.vm)' 'vm: there is nothing to boot'
	wrong 'del(.vm.kernel.path)' 'vm.kernel.path: is missing'
	wrong '.vm.kernel.path = ""' 'vm.kernel.initrd: an initrd needs a kernel'
}

@test "settings" {
	wrong "$(annotate memry 1G)" 'config.json:[0-9]+:[0-9]+: annotations\["org.ocivirt.memry"\]: .*did you mean org.ocivirt.memory' '^ocivirt: error: '
	wrong "$(annotate memory lots)" '"lots" is not a size'
	wrong "$(annotate accel fast)" '"fast" is not one of auto, kvm, tcg'
	wrong "$(annotate cpus 0)" '"0" is not a whole number'
	wrong "$(annotate stop-timeout soon)" '"soon" is not a duration'
	export OCIVIRT_ACCEL=warp
	wrong . 'environment OCIVIRT_ACCEL: "warp" is not one of'
}

@test "sizes" {
	wrong "$(annotate memory 1M)" '1 MiB of memory is too little.*at least 16M'
	wrong '.linux.resources.cpu.cpus = "0-"' 'linux.resources.cpu.cpus: "0-" is not a list of CPUs'
}

@test "all problems at once, by line" {
	wrong '.ociVersion = "x" | .hostname = "a b" | .vm.kernel.path = "/nonexistent" | .annotations["org.ocivirt.cpus"] = "many"' \
		ociVersion hostname vm.kernel.path 'org.ocivirt.cpus'
	[[ $(wc -l <"$err") -eq 4 ]]
	[[ $(cut -d: -f4 "$err") == "$(cut -d: -f4 "$err" | sort -n)" ]]
}

@test "validate says the same with the same status, and says when all is well" {
	config '.ociVersion = "x"'
	run -78 --separate-stderr "$ocivirt" validate --bundle "$bundle"
	[[ $stderr == *"config.json:2:17: ociVersion:"* ]]
	config
	run -0 "$ocivirt" validate --bundle "$bundle"
	[[ $output == *"config.json: valid"* ]]
}

@test "an unknown OCIVIRT_ variable is a warning: Kubernetes makes such" {
	config
	export OCIVIRT_PORT=tcp://10.0.0.1:80 OCIVIRT_MEMROY=1G
	run -0 "$ocivirt" validate --bundle "$bundle"
	[[ $output == *"OCIVIRT_MEMROY is no setting and is ignored; did you mean OCIVIRT_MEMORY?"* ]]
}

@test "validate tells what becomes of each property, in the order of the file" {
	config '.hostname = "h" | .mounts = [{destination: "/proc", type: "proc"}] | .process = {cwd: "/", args: ["sh"]}' \
		'.linux = {maskedPathz: []}'
	run -0 "$ocivirt" validate --bundle "$bundle"
	printf '%s\n' "$output" >"$out"
	has '^honoured +hostname +the kernel parameter systemd.hostname='
	has '^ignored +mounts\[0\] +the guest mounts its own proc on /proc'
	has '^needs a guest init +process.args '
	has '^ignored +linux.maskedPathz +it is not in runtime-spec 1.3.0; did you mean maskedPaths'
	has '^honoured +annotations\["org.ocivirt.memory"\] +a setting: 128M'
	[[ $(sed -n 2p "$out") == honoured*ociVersion* ]]
	OCIVIRT_MEMORY=200M run -0 "$ocivirt" validate --bundle "$bundle"
	[[ $output == *'environment OCIVIRT_MEMORY says otherwise, and wins'* ]]
}

@test "validate of a wrong file ends with the report, too" {
	config '.hostname = "a b"'
	run -78 --separate-stderr "$ocivirt" validate --bundle "$bundle"
	[[ $stderr == *'hostname: "a b" is not a host name'* ]]
	[[ $output == *'config.json: not valid'*$'\nwrong '*' hostname '* ]]
}

@test "validate --format json is for machines" {
	config '.hostname = "a b"'
	run -78 --separate-stderr "$ocivirt" validate --bundle "$bundle" --format json
	jq -e '.valid == false and .problems[0].path == "hostname" and .problems[0].line > 1 and
		any(.fields[]; .path == "ociVersion" and .fate == "honoured")' <<<"$output"
	config
	run -0 --separate-stderr "$ocivirt" validate --bundle "$bundle" --format json
	jq -e '.valid and .problems == [] and .warnings == []' <<<"$output"
	# A file's name can be any bytes; JSON cannot.
	cp "$bundle/config.json" "$bundle/"$'\xff.json'
	run -0 --separate-stderr env $'OCIVIRT_\xff=1' "$ocivirt" validate --config "$bundle/"$'\xff.json' --format json
	[[ $(jq '.valid and (.file | endswith("/\ufffd.json"))' <<<"$output") == true ]]
	[[ $(jq -r '.warnings[]' <<<"$output") == "environment OCIVIRT_"*" is no setting and is ignored" ]]
	run -64 "$ocivirt" validate --bundle "$bundle" --format yaml
	echo '{' >"$bundle/config.json"
	run -78 --separate-stderr "$ocivirt" validate --bundle "$bundle" --format json
	jq -e '.valid == false and .fields == [] and .problems[0].line >= 1' <<<"$output"
}

@test "validate --strict refuses what is not honoured" {
	config
	run -0 "$ocivirt" validate --bundle "$bundle" --strict
	config '.mounts = [{destination: "/data", type: "tmpfs"}] | .linux.foo = 1'
	run -0 "$ocivirt" validate --bundle "$bundle"
	run -78 --separate-stderr "$ocivirt" validate --bundle "$bundle" --strict
	[[ $stderr == *'mounts[0]: ignored, because the guest mounts its own tmpfs on /data'*'linux.foo: ignored, because it is not in'* ]]
}

@test "links do not lead around what a guest must not write to" {
	local shared=$BATS_TEST_TMPDIR/shared hook=$BATS_TEST_TMPDIR/hook
	mkdir -p "$shared/sub"
	install -m 755 /bin/true "$hook"
	config ".mounts = [{destination: \"/srv\", type: \"bind\", source: \"$shared\"}]"
	run -0 "$ocivirt" validate --bundle "$bundle"
	mv "$bundle/config.json" "$shared/"
	ln -s "$shared/config.json" "$bundle/"
	run -78 "$ocivirt" validate --bundle "$bundle"
	[[ $output == *"could write to all of $shared, and this configuration, $bundle/config.json (at $shared/config.json), is in there"* ]]
	rm "$bundle/config.json"
	config ".mounts = [{destination: \"/srv\", type: \"bind\", source: \"$shared\"}]" \
		".hooks.poststop = [{path: \"$shared/sub/../../hook\"}]"
	run -78 "$ocivirt" validate --bundle "$bundle"
	[[ $output == *"and a hook, $shared/sub/../../hook (at $shared/sub), is in there"* ]]
}

@test "nor is what ocivirt runs within a guest's reach" {
	local shared
	for shared in /usr "$(dirname "$(realpath "$ocivirt")")" /usr/bin "$(dirname "$(realpath /usr/lib/*/libvirt.so.0)")"; do
		config ".mounts = [{destination: \"/srv\", type: \"bind\", source: \"$shared\"}]"
		run -78 "$ocivirt" validate --bundle "$bundle"
		[[ $output == *"could write to all of $shared"* ]]
		config ".mounts = [{destination: \"/srv\", type: \"bind\", source: \"$shared\", options: [\"ro\"]}]"
		run -0 "$ocivirt" validate --bundle "$bundle"
	done
}

@test "validate looks whether the QEMU that the file names can be run" {
	local path
	for path in /nonexistent/qemu /usr /etc/passwd; do
		config ".vm.hypervisor = {path: \"$path\"}"
		run -78 "$ocivirt" validate --bundle "$bundle"
		[[ $output == *"vm.hypervisor.path: cannot execute the QEMU of vm.hypervisor.path, $path"* ]]
		run -69 "$ocivirt" run --bundle "$bundle" --root "$root"
	done
}
