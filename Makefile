# SPDX-License-Identifier: LGPL-2.1-or-later
VERSION := 0.1.0

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
BUILD ?= build$(if $(SANITIZE),/sanitize$(if $(filter thread,$(SANITIZE)),-thread))$(if $(COVERAGE),/coverage)$(if $(FUZZ),/fuzz)
# The same for all kinds of build.
GUEST := build/guest
IMAGE ?= localhost/ocivirt:latest

PKG_CONFIG ?= pkg-config
PACKAGES := libvirt libvirt-qemu glib-2.0 gio-unix-2.0 libxml-2.0 jansson libseccomp libmicrohttpd libarchive

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef \
	-Wformat=2 -Wpointer-arith -Wwrite-strings -Wold-style-definition -Wno-missing-field-initializers
CFLAGS ?= -O2 -g
HARDENING := -fstack-protector-strong -fPIE -D_FORTIFY_SOURCE=2
ifdef SANITIZE
HARDENING := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif
ifeq ($(SANITIZE),thread)
HARDENING := -fsanitize=thread -fno-omit-frame-pointer
endif
ifdef COVERAGE
HARDENING := --coverage -O0
endif
ifdef FUZZ
HARDENING := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif
override CFLAGS += -std=gnu11 $(WARNINGS) $(WERROR) $(HARDENING)
override CPPFLAGS += -I. -D_GNU_SOURCE -DOCIVIRT_VERSION='"$(VERSION)"' \
	-DG_LOG_DOMAIN='"ocivirt"' $(shell $(PKG_CONFIG) --cflags $(PACKAGES) | sed 's/-I/-isystem /g')
override LDFLAGS += -pie -Wl,-z,relro,-z,now,--as-needed $(if $(SANITIZE)$(COVERAGE)$(FUZZ),$(HARDENING))
LDLIBS := $(shell $(PKG_CONFIG) --libs $(PACKAGES))

LAUNCHER := $(patsubst %.c,$(BUILD)/%.o,$(wildcard src/launch/*.c))
SOURCES := $(wildcard cmd/ocivirt/*.c oci/*.c src/*/*.c)
OBJECTS := $(filter-out $(LAUNCHER),$(SOURCES:%.c=$(BUILD)/%.o))
LIBRARY := $(filter-out $(BUILD)/cmd/%,$(OBJECTS))
UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*.c))

# One short line a step; V=1 shows the commands.
run = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2) && )$(3)

all: $(BUILD)/ocivirt $(BUILD)/ocivirt-launch

$(BUILD)/ocivirt: $(OBJECTS)
	$(call run,LINK,$@,$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS))

# Nothing but libc: it runs each time before QEMU does.
$(BUILD)/ocivirt-launch: $(LAUNCHER)
	$(call run,LINK,$@,$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call run,CC,$<,$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<)

# It has the text inside.
$(BUILD)/oci/seccomp_choose.o: oci/seccomp.json

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(LIBRARY)
	$(call run,LINK,$@,$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS))

$(BUILD)/tests/native/valgrind.so: tests/native/valgrind.c
	@mkdir -p $(@D)
	$(call run,LINK,$@,$(CC) $(CPPFLAGS) $(CFLAGS) -shared -fPIC -o $@ $<)

# Not there in a container build.
-include tests/fuzz/fuzz.mk

$(BUILD)/%.1: docs/%.1.scd
	@mkdir -p $(@D)
	scdoc < $< > $@

$(GUEST)/initrd.img: tests/guest/build tests/guest/init
	tests/guest/build $(@D)

$(GUEST)/vmlinux: tests/guest/unpack $(GUEST)/initrd.img
	tests/guest/unpack $(@D)

$(GUEST)/agent.img: tests/guest/pack $(GUEST)/initrd.img
	tests/guest/pack $(@D) agent qemu-guest-agent=usr/sbin/qemu-ga

$(GUEST)/bench.img: tests/guest/pack $(GUEST)/initrd.img
	tests/guest/pack $(@D) bench fio=usr/bin/fio iperf3=usr/bin/iperf3

$(GUEST)/disk.raw: tests/guest/build-disk $(GUEST)/initrd.img
	tests/guest/build-disk $(@D)

$(GUEST)/debian/disk.qcow2: tests/guest/build-debian
	tests/guest/build-debian $(GUEST)

man: $(BUILD)/ocivirt.1
guest: $(GUEST)/vmlinux $(GUEST)/disk.raw $(GUEST)/agent.img $(GUEST)/debian/disk.qcow2

check: lint check-unit check-native check-container check-leaks

check-unit: all $(UNIT_TESTS) $(REPLAYS)
	tests/run-unit $(UNIT_TESTS) $(REPLAYS)

# How much of oci/ and src/vm/ the unit tests run: tests/coverage says how much it must be.
coverage:
	$(MAKE) --no-print-directory CC=gcc COVERAGE=1 coverage-unit
	tests/coverage build/coverage

coverage-unit: all $(UNIT_TESTS)
	find $(BUILD) -name '*.gcda' -delete
	OCIVIRT_TEST_COUNTS= tests/run-unit $(UNIT_TESTS)

# With SANITIZE=1 or SANITIZE=thread the same under sanitizers, with VALGRIND=1 under valgrind (3.20 or later: hack/trixie);
# NATIVE="-f PATTERN" for some of the tests.
check-native: all guest $(BUILD)/tests/native/agent $(if $(VALGRIND),$(BUILD)/tests/native/valgrind.so)
	$(if $(VALGRIND),PATIENCE=300) OCIVIRT=$(CURDIR)/$(BUILD)/ocivirt BUILD=$(BUILD) tests/run-bats tests/native $(NATIVE)

check-container: image guest
	tests/run-bats tests/container

# Alone, since it looks at the whole machine.
check-leaks: image
	CONTAINERS=$(or $(CONTAINERS),50) tests/run-bats tests/leaks

# What the compilers, shellcheck and the rules of the house have to say.
lint:
	hack/walls
	clang-format --dry-run --Werror $(wildcard cmd/*/*.[ch] oci/*.[ch] src/*/*.[ch] tests/unit/*.[ch] tests/native/*.c tests/fuzz/*.[ch] tests/bench/*.c)
	shellcheck $(shell grep -rlE '^#!/(bin/sh|usr/bin/env bash|bin/bash)' hack tests .ci)
	$(MAKE) --no-print-directory BUILD=build/gcc CC=gcc WERROR=-Werror all
	$(MAKE) --no-print-directory BUILD=build/clang CC=clang WERROR=-Werror all

fmt:
	clang-format -i $(wildcard cmd/*/*.[ch] oci/*.[ch] src/*/*.[ch] tests/unit/*.[ch] tests/native/*.c tests/fuzz/*.[ch] tests/bench/*.c)

bench: all guest $(GUEST)/bench.img $(BUILD)/tests/bench/decode
	$(BUILD)/tests/bench/decode tests/golden/podman.json
	tests/bench/bench
	tests/bench/latency
	tests/bench/throughput

# The tables of docs/config.md and docs/lifecycle.md, from the rows of oci/fields*.c and the table of lifecycle.c.
reference: $(BUILD)/tests/unit/reference $(BUILD)/tests/unit/lifecycle
	GOLDEN_UPDATE=1 $(BUILD)/tests/unit/reference
	GOLDEN_UPDATE=1 $(BUILD)/tests/unit/lifecycle

# Each process of a VM is killed, crashed or hung at random moments.
MOMENTS ?= 200
SEED ?= 1
faults: all guest image
	tests/faults/run --moments $(MOMENTS) --seed $(SEED)
	tests/faults/run --moments $(MOMENTS) --seed $(SEED) --container

image:
	hack/build-image $(IMAGE)

install: all man
	install -D -m 755 $(BUILD)/ocivirt $(DESTDIR)$(BINDIR)/ocivirt
	install -D -m 755 $(BUILD)/ocivirt-launch $(DESTDIR)$(LIBEXECDIR)/ocivirt-launch
	install -D -m 644 $(BUILD)/ocivirt.1 $(DESTDIR)$(MANDIR)/man1/ocivirt.1
	install -D -m 644 docs/config.md $(DESTDIR)$(DATADIR)/doc/ocivirt/config.md
	install -D -m 644 docs/openapi.yaml $(DESTDIR)$(DATADIR)/doc/ocivirt/openapi.yaml
	install -D -m 644 oci/seccomp.json $(DESTDIR)$(DATADIR)/ocivirt/seccomp.json
	install -D -m 644 docs/completion/ocivirt.bash $(DESTDIR)$(DATADIR)/bash-completion/completions/ocivirt
	install -D -m 644 docs/completion/_ocivirt $(DESTDIR)$(DATADIR)/zsh/site-functions/_ocivirt
	install -D -m 644 docs/completion/ocivirt.fish $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/ocivirt.fish

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/ocivirt $(DESTDIR)$(LIBEXECDIR)/ocivirt-launch $(DESTDIR)$(MANDIR)/man1/ocivirt.1 \
		$(DESTDIR)$(DATADIR)/doc/ocivirt/config.md $(DESTDIR)$(DATADIR)/doc/ocivirt/openapi.yaml \
		$(DESTDIR)$(DATADIR)/ocivirt/seccomp.json \
		$(DESTDIR)$(DATADIR)/bash-completion/completions/ocivirt \
		$(DESTDIR)$(DATADIR)/zsh/site-functions/_ocivirt \
		$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/ocivirt.fish

clean:
	rm -rf build

-include $(OBJECTS:.o=.d) $(LAUNCHER:.o=.d) $(UNIT_TESTS:=.d) $(BUILD)/tests/native/agent.d $(BUILD)/tests/bench/decode.d

.PHONY: all faults check check-unit coverage coverage-unit check-native check-container check-leaks lint fmt bench reference image install uninstall \
	clean man guest
.SECONDARY:
