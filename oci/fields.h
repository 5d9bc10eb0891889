// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * Every property of config.json that ocivirt knows, as tables: a row says what a property is
 * called, what it must be, where it goes in struct oci_config, and what becomes of it. Decoding
 * (decode.c), the report of `ocivirt validate` (report.c) and docs/config.md come from these rows.
 */

#include "oci/config.h"

enum oci_type {
    OCI_STRING,     /* char * */
    OCI_STRINGS,    /* char **, NULL-terminated */
    OCI_BOOL,       /* struct oci_bool */
    OCI_UINT,       /* struct oci_uint, within min and max */
    OCI_INT,        /* struct oci_int, within least and most */
    OCI_UINTS,      /* OCI_LIST(guint64), each within min and max */
    OCI_MAP,        /* OCI_LIST(struct oci_pair) */
    OCI_OBJECT,     /* its members are rows of their own, in the same struct */
    OCI_OBJECTS,    /* OCI_LIST of a struct of @size bytes, with @fields of its own */
    OCI_OBJECT_MAP, /* the same by name: the struct begins with char *key */
    OCI_FOREIGN,    /* another platform's: an object that is not looked into */
};

enum oci_field_flags {
    OCI_REQUIRED = 1 << 0,
    OCI_ABSOLUTE = 1 << 1,       /* a path, or each of a list, must begin with '/' */
    OCI_BUNDLE_PATH = 1 << 2,    /* a path that may be relative to the bundle */
    OCI_EMPTY_IS_UNSET = 1 << 3, /* "" is how Go's types write an absent string */
    OCI_NOT_EMPTY = 1 << 4,      /* a list must have an element */
    OCI_ONLY_EMPTY = 1 << 5,     /* a list must have none; @note says why */
    OCI_EACH = 1 << 6,           /* each element of a list has a line of its own in the report */
    OCI_OUR_FILE = 1 << 7,       /* a file that we read or run: it may well be in the bundle */
    OCI_ZERO_IS_UNSET = 1 << 8,  /* 0 is how Go's types write an absent number: any min allows it */
};

/* What becomes of a property. */
enum oci_fate {
    OCI_MEMBERS, /* of an object: each of its members says so; of a member: what its object does */
    OCI_HONOURED,
    OCI_IGNORED,
    OCI_GUEST_INIT, /* it would take code of ours inside the guest */
    OCI_IMPOSSIBLE,
    OCI_FATES,
};

struct oci_situation;
struct oci_verdict;

struct oci_field {
    const char *name;
    const char *alias; /* another spelling seen in the wild */
    enum oci_type type;
    unsigned flags;
    gsize offset;             /* of the member in the decoded struct */
    guint64 min, max;         /* of OCI_UINT; max 0: all 64 bits */
    gint64 least, most;       /* of OCI_INT; both 0: all 64 bits */
    const char *const *words; /* the only values allowed */
    bool (*is_valid)(const char *text);
    const char *shape; /* what @is_valid wants, after "is not": "a list of CPUs such as …" */
    const struct oci_field *fields;
    gsize size;
    const char *note; /* a word on what it is, for messages */

    enum oci_fate fate;
    const char *tells; /* as what it is honoured, or why it is not */
    /* Where that depends on more than the row: decides for element @index of an OCI_EACH. */
    void (*judge)(const struct oci_situation *situation, gsize index, struct oci_verdict *verdict);
};

/* Tables end with a row without a name. */
extern const struct oci_field oci_fields_config[];
extern const struct oci_field oci_fields_process[];
extern const struct oci_field oci_fields_linux[];
extern const struct oci_field oci_fields_resources[];
/* The same rows, for a struct oci_seccomp that stands alone. */
extern const struct oci_field oci_fields_seccomp[];
extern const struct oci_field oci_fields_id_mapping[];
extern const struct oci_field oci_fields_hooks[]; /* by enum oci_hook_kind */

/* The row called @name, or whose alias that is; NULL: there is none. */
const struct oci_field *oci_fields_find(const struct oci_field *fields, const char *name);
