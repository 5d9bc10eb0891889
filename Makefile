# SPDX-License-Identifier: LGPL-2.1-or-later
VERSION := 0.1.0

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
BUILD ?= build$(if $(SANITIZE),/sanitize)
IMAGE ?= localhost/ocivirt:latest

PKG_CONFIG ?= pkg-config
PACKAGES := libvirt libvirt-qemu glib-2.0 gio-unix-2.0 libxml-2.0 jansson

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef \
	-Wformat=2 -Wpointer-arith -Wwrite-strings -Wold-style-definition -Wno-missing-field-initializers
CFLAGS ?= -O2 -g
HARDENING := -fstack-protector-strong -fPIE -D_FORTIFY_SOURCE=2
ifdef SANITIZE
HARDENING := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif
override CFLAGS += -std=gnu11 $(WARNINGS) $(WERROR) $(HARDENING)
override CPPFLAGS += -I. -D_GNU_SOURCE -DOCIVIRT_VERSION='"$(VERSION)"' \
	-DG_LOG_DOMAIN='"ocivirt"' $(shell $(PKG_CONFIG) --cflags $(PACKAGES) | sed 's/-I/-isystem /g')
override LDFLAGS += -pie -Wl,-z,relro,-z,now,--as-needed $(if $(SANITIZE),$(HARDENING))
LDLIBS := $(shell $(PKG_CONFIG) --libs $(PACKAGES))

SOURCES := $(wildcard cmd/ocivirt/*.c oci/*.c src/*/*.c)
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
LIBRARY := $(filter-out $(BUILD)/cmd/%,$(OBJECTS))
UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*.c))

# One short line a step; V=1 shows the commands.
run = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2) && )$(3)

all: $(BUILD)/ocivirt

$(BUILD)/ocivirt: $(OBJECTS)
	$(call run,LINK,$@,$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS))

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call run,CC,$<,$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<)

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(LIBRARY)
	$(call run,LINK,$@,$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS))

$(BUILD)/%.1: docs/%.1.scd
	@mkdir -p $(@D)
	scdoc < $< > $@

$(BUILD)/guest/initrd.img: tests/guest/build tests/guest/init
	tests/guest/build $(@D)

$(BUILD)/guest/disk.raw: tests/guest/build-disk $(BUILD)/guest/initrd.img
	tests/guest/build-disk $(@D)

man: $(BUILD)/ocivirt.1
guest: $(BUILD)/guest/initrd.img $(BUILD)/guest/disk.raw

check: lint check-unit check-native check-container check-leaks

check-unit: $(UNIT_TESTS)
	tests/run-unit $^

check-native: all guest
	tests/run-bats tests/native

check-container: image guest
	tests/run-bats tests/container

# Alone, since it looks at the whole machine.
check-leaks: image
	tests/run-bats tests/leaks

# What the compilers, shellcheck and the rules of the house have to say.
lint:
	hack/walls
	clang-format --dry-run --Werror $(wildcard cmd/*/*.[ch] oci/*.[ch] src/*/*.[ch] tests/unit/*.[ch])
	shellcheck $(shell grep -rlE '^#!/(bin/sh|usr/bin/env bash|bin/bash)' hack tests .ci)
	$(MAKE) --no-print-directory BUILD=build/gcc CC=gcc WERROR=-Werror all
	$(MAKE) --no-print-directory BUILD=build/clang CC=clang WERROR=-Werror all

fmt:
	clang-format -i $(wildcard cmd/*/*.[ch] oci/*.[ch] src/*/*.[ch] tests/unit/*.[ch])

bench: all guest
	tests/bench/bench

image:
	hack/build-image $(IMAGE)

install: all man
	install -D -m 755 $(BUILD)/ocivirt $(DESTDIR)$(BINDIR)/ocivirt
	install -D -m 644 $(BUILD)/ocivirt.1 $(DESTDIR)$(MANDIR)/man1/ocivirt.1
	install -D -m 644 docs/completion/ocivirt.bash $(DESTDIR)$(DATADIR)/bash-completion/completions/ocivirt
	install -D -m 644 docs/completion/_ocivirt $(DESTDIR)$(DATADIR)/zsh/site-functions/_ocivirt
	install -D -m 644 docs/completion/ocivirt.fish $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/ocivirt.fish

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/ocivirt $(DESTDIR)$(MANDIR)/man1/ocivirt.1 \
		$(DESTDIR)$(DATADIR)/bash-completion/completions/ocivirt \
		$(DESTDIR)$(DATADIR)/zsh/site-functions/_ocivirt \
		$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/ocivirt.fish

clean:
	rm -rf build

-include $(OBJECTS:.o=.d) $(UNIT_TESTS:=.d)

.PHONY: all check check-unit check-native check-container check-leaks lint fmt bench image install uninstall \
	clean man guest
.SECONDARY:
