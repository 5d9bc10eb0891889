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
override CFLAGS += -std=gnu11 $(WARNINGS) $(HARDENING)
override CPPFLAGS += -I. -D_GNU_SOURCE -DOCIVIRT_VERSION='"$(VERSION)"' \
	-DG_LOG_DOMAIN='"ocivirt"' $(shell $(PKG_CONFIG) --cflags $(PACKAGES) | sed 's/-I/-isystem /g')
override LDFLAGS += -pie -Wl,-z,relro,-z,now,--as-needed $(if $(SANITIZE),$(HARDENING))
LDLIBS := $(shell $(PKG_CONFIG) --libs $(PACKAGES))

SOURCES := $(wildcard cmd/ocivirt/*.c oci/*.c src/*/*.c)
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
LIBRARY := $(filter-out $(BUILD)/cmd/%,$(OBJECTS))
UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*.c))

all: $(BUILD)/ocivirt

$(BUILD)/ocivirt: $(OBJECTS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(LIBRARY)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

-include $(OBJECTS:.o=.d) $(UNIT_TESTS:=.d)

clean:
	rm -rf build

.PHONY: all clean
.SECONDARY:
