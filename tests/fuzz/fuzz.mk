# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The harnesses: as fuzzers, with clang's libFuzzer (FUZZ=1), and as tests that replay what was found.

# What turns a config.json into XML, and takes the guest's words apart, without a system call.
PURE := $(filter $(BUILD)/oci/% $(BUILD)/src/vm/% $(BUILD)/src/util/% $(BUILD)/src/agent/% \
	$(BUILD)/src/api/agent_json.o $(BUILD)/src/host/exit_port.o,$(OBJECTS))
HARNESSES := decode translate xml seccomp guest request
FUZZERS := $(HARNESSES:%=$(BUILD)/tests/fuzz/fuzz-%)
REPLAYS := $(HARNESSES:%=$(BUILD)/tests/fuzz/replay-%)
MUTATOR := $(BUILD)/tests/fuzz/mutate.o $(BUILD)/tests/fuzz/generate.o
EXAMINE := $(BUILD)/tests/fuzz/input.o $(BUILD)/tests/fuzz/examine.o $(PURE)

$(BUILD)/tests/unit/property: $(BUILD)/tests/fuzz/generate.o

# Pure as well, in a room that is not.
$(BUILD)/tests/fuzz/replay-request $(BUILD)/tests/fuzz/fuzz-request: $(BUILD)/src/api/request.o

$(BUILD)/tests/fuzz/replay-%: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz/replay.o $(EXAMINE)
	$(call run,LINK,$@,$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS))

$(BUILD)/tests/fuzz/fuzz-%: $(BUILD)/tests/fuzz/%.o $(MUTATOR) $(EXAMINE)
	$(call run,LINK,$@,$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS))

$(BUILD)/tests/fuzz/dictionary: $(BUILD)/tests/fuzz/dictionary.o $(PURE)
	$(call run,LINK,$@,$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS))

$(BUILD)/fuzz.dict: $(BUILD)/tests/fuzz/dictionary
	$(call run,GEN,$@,$< > $@)

fuzzers: $(FUZZERS) $(BUILD)/fuzz.dict

# Each harness for so many seconds, two at a time.
FUZZ_SECONDS ?= 60
fuzz:
	$(MAKE) --no-print-directory FUZZ=1 CC=clang fuzzers
	tests/fuzz/run $(FUZZ_SECONDS) $(HARNESSES)

-include $(wildcard $(BUILD)/tests/fuzz/*.d)

.PHONY: fuzz fuzzers
