// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/cloud_init.h"
#include "oci/document.h"
#include "oci/translation.h"

#include <jansson.h>
#include <string.h>

/*
 * Three ways to tell a guest who it is, each for those who know it. For cloud-init: a disk with the
 * label "cidata". For systemd: system credentials, in the firmware's tables (SMBIOS), or where
 * these do not reach the guest, or have no room, in QEMU's fw_cfg device. For Ignition: a file of
 * that device.
 *
 * A disk that boots itself is told by the first two at once: what is on it nobody knows.
 */

/* Of tables with 64 KiB for everything, and one byte to count the strings. */
#define OEM_STRING_MAX 4096
#define OEM_STRINGS_MAX 32768
#define OEM_STRING_COUNT_MAX 255

#define IGNITION_NAME "opt/com.coreos/config"
#define CREDENTIAL_FOLDER "opt/io.systemd.credentials/"

/* What the settings say, taken apart. */
struct first_boot {
    struct translation *t;
    GPtrArray *keys;  /* of char *: of the default user, and root's */
    char *user;       /* whose password it is; NULL: the default user's */
    char *hash;       /* NULL: no password */
    gsize oem_length; /* of the strings so far */
};

static void problem(struct translation *t, enum oci_setting_id id, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static void problem(struct translation *t, enum oci_setting_id id, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    oci_settings_problem(t->settings, id, t->problems, message);
}

/* At what made it necessary: setting @id, or, with OCI_SETTING_COUNT, what stands at @path. */
static void problem_of(struct translation *t, enum oci_setting_id id, const char *path,
                       const char *message)
{
    if (id < OCI_SETTING_COUNT) {
        oci_settings_problem(t->settings, id, t->problems, message);
    } else {
        oci_problems_add(t->problems, path, "%s", message);
    }
}

/* --- what the settings say --- */

static void parse_keys(struct first_boot *f)
{
    const struct oci_text *setting = &f->t->settings->ssh_keys;
    g_autofree char *text = oci_text_dup(setting);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        const char *key = g_strstrip(*line);
        if (strstr(key, "PRIVATE KEY") != NULL) {
            problem(f->t, OCI_SETTING_SSH_KEYS,
                    "this is a private key, which nobody else may have; give the public one, of "
                    "the file with .pub at the end of its name");
            return;
        }
        if (*key == '\0' || *key == '#') {
            continue;
        }
        if (strstr(key, " AAAA") == NULL) { /* as the base64 of every kind of key begins */
            g_autofree char *shown = oci_problems_shorten(key);
            problem(f->t, OCI_SETTING_SSH_KEYS,
                    "\"%s\" is no public key such as ssh-ed25519 AAAA…, nor a file: that begins "
                    "with / or ./",
                    shown);
            return;
        }
        /* A comment can be in any encoding; JSON and XML have one. */
        g_ptr_array_add(f->keys, g_utf8_make_valid(key, -1));
    }
    if (setting->bytes != NULL && f->keys->len == 0) {
        problem(f->t, OCI_SETTING_SSH_KEYS, "there is no key in it, such as ssh-ed25519 AAAA…");
    }
}

/* crypt(5): "$", the method, "$", and then no colon, blank or newline. */
static bool is_hash(const char *text)
{
    return g_regex_match_simple("^\\$[0-9a-z]+\\$[!-9;-~]+$", text, G_REGEX_DOLLAR_ENDONLY,
                                G_REGEX_MATCH_DEFAULT);
}

static bool is_user(const char *name)
{
    return g_regex_match_simple("^[A-Za-z_][A-Za-z0-9_.-]*$", name, G_REGEX_DOLLAR_ENDONLY,
                                G_REGEX_MATCH_DEFAULT);
}

static void parse_password(struct first_boot *f)
{
    const struct oci_text *setting = &f->t->settings->password_hash;
    if (setting->bytes == NULL) {
        return;
    }
    g_autofree char *text = oci_text_dup(setting);
    const char *hash = g_strstrip(text);
    const char *colon = strchr(hash, ':');
    g_autofree char *user = colon != NULL ? g_strndup(hash, colon - hash) : NULL;
    hash = colon != NULL ? colon + 1 : hash;
    if (!is_hash(hash) || (user != NULL && !is_user(user))) {
        /* Without the text: it may be the password itself. */
        problem(f->t, OCI_SETTING_PASSWORD_HASH,
                "it is no hash of a password, $6$… for example, nor USER:HASH; make one with: "
                "openssl passwd -6");
        return;
    }
    f->user = g_steal_pointer(&user);
    f->hash = g_strdup(hash);
}

/* --- fw_cfg --- */

static bool has_fw_cfg(const struct vm_spec *spec, const char *name)
{
    for (guint i = 0; i < spec->fw_cfg->len; i++) {
        const struct vm_fw_cfg *entry = g_ptr_array_index(spec->fw_cfg, i);
        if (g_str_equal(entry->name, name)) {
            return true;
        }
    }
    return false;
}

/* Returns NULL, or what is wrong. Takes @bytes over. */
static const char *add_fw_cfg(struct translation *t, const char *name, GBytes *bytes)
{
    g_autoptr(GBytes) owned = bytes;
    if (has_fw_cfg(t->spec, name)) {
        return "there is another setting for the same entry of fw_cfg; leave one of them out";
    }
    if (t->spec->fw_cfg->len == VM_FW_CFG_MAX) {
        return "there are more entries of fw_cfg than the device has room for; "
               "at most " G_STRINGIFY(VM_FW_CFG_MAX) " are possible";
    }
    g_autofree char *folder = g_build_filename(t->host->root, "run", NULL);
    vm_spec_add_fw_cfg(t->spec, name, g_steal_pointer(&owned), folder);
    return NULL;
}

static GBytes *bytes_of(const struct oci_text *text)
{
    return text->bytes != NULL ? g_bytes_ref(text->bytes) : g_bytes_new_static("", 0);
}

/* Ignition would stop the boot, with a message that only who knows it understands. */
static void check_ignition(struct translation *t)
{
    g_autofree char *text = oci_text_dup(&t->settings->ignition);
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    if (t->settings->ignition.bytes != NULL && !json_is_object(json)) {
        problem(t, OCI_SETTING_IGNITION,
                "it is no JSON (line %d: %s), as Ignition wants it, nor a file: that begins with / "
                "or ./; of a Butane config make it with: butane FILE",
                json == NULL ? error.line : 1, json == NULL ? error.text : "an object is wanted");
    }
    json_decref(json);
}

static void add_ignition(struct translation *t)
{
    if (oci_text_is_set(&t->settings->ignition)) {
        check_ignition(t);
        add_fw_cfg(t, IGNITION_NAME, bytes_of(&t->settings->ignition));
    }
}

/* QEMU and the firmware have names of their own there, and libvirt keeps them for them. */
static const char *check_fw_cfg_name(const char *name)
{
    if (!g_str_has_prefix(name, "opt/") || g_str_has_suffix(name, "/")) {
        return "the name of an entry of fw_cfg is opt/REVERSED.DOMAIN/NAME, such as "
               "opt/org.example/name";
    }
    if (g_str_has_prefix(name, "opt/ovmf/") || g_str_has_prefix(name, "opt/org.qemu/")) {
        return "entries below opt/ovmf/ and opt/org.qemu/ are the firmware's and QEMU's own";
    }
    return strlen(name) > VM_FW_CFG_NAME_MAX
               ? "the name of an entry of fw_cfg has at most " G_STRINGIFY(
                     VM_FW_CFG_NAME_MAX) " characters"
               : NULL;
}

static void add_users_fw_cfg(struct translation *t)
{
    for (guint i = 0; i < t->settings->fw_cfg->len; i++) {
        const struct oci_named_text *entry = g_ptr_array_index(t->settings->fw_cfg, i);
        const char *message = check_fw_cfg_name(entry->name);
        message = message != NULL ? message : add_fw_cfg(t, entry->name, bytes_of(&entry->text));
        if (message != NULL) {
            oci_problems_add_key(t->problems, entry->source, "%s", message);
        }
    }
}

/* --- system credentials --- */

/* Firmware of aarch64 makes the tables, and a kernel that is booted without it sees none. */
static bool has_smbios(const struct vm_spec *spec)
{
    return spec->arch == VM_ARCH_X86_64 || spec->uefi;
}

/* A string of SMBIOS ends with a NUL, and what is beyond ASCII is nobody's promise. */
static bool is_plain(const char *data, gsize length)
{
    for (gsize i = 0; i < length; i++) {
        if (data[i] < ' ' || data[i] > '~') {
            return false;
        }
    }
    return length == 0 || (data[0] != ' ' && data[length - 1] != ' ');
}

static char *oem_string(const char *name, GBytes *bytes)
{
    gsize length;
    const char *data = g_bytes_get_data(bytes, &length);
    if (is_plain(data, length)) {
        return g_strdup_printf("io.systemd.credential:%s=%.*s", name, (int)length, data);
    }
    g_autofree char *encoded = g_base64_encode((const guchar *)data, length);
    return g_strdup_printf("io.systemd.credential.binary:%s=%s", name, encoded);
}

/* Returns NULL, or what is wrong. Takes @bytes over. What is @secret stays off QEMU's command line,
 * where SMBIOS strings stand. */
static const char *add_credential(struct first_boot *f, const char *name, GBytes *bytes,
                                  bool secret)
{
    struct translation *t = f->t;
    g_autoptr(GBytes) owned = bytes;
    if (!secret && has_smbios(t->spec) && g_bytes_get_size(bytes) <= OEM_STRING_MAX) {
        g_autofree char *string = oem_string(name, bytes);
        gsize length = strlen(string) + 1;
        if (length <= OEM_STRING_MAX && f->oem_length + length <= OEM_STRINGS_MAX &&
            t->spec->oem_strings->len < OEM_STRING_COUNT_MAX) {
            f->oem_length += length;
            g_ptr_array_add(t->spec->oem_strings, g_steal_pointer(&string));
            return NULL;
        }
    }
    g_autofree char *entry = g_strconcat(CREDENTIAL_FOLDER, name, NULL);
    if (strlen(entry) > VM_FW_CFG_NAME_MAX) {
        return "there is no room for it: what does not fit SMBIOS goes to fw_cfg, where the name "
               "has at most 28 characters; shorten the name, or the text";
    }
    return add_fw_cfg(t, entry, g_steal_pointer(&owned));
}

static void add_users_credentials(struct first_boot *f)
{
    const GPtrArray *credentials = f->t->settings->credentials;
    for (guint i = 0; i < credentials->len; i++) {
        const struct oci_named_text *credential = g_ptr_array_index(credentials, i);
        bool secret = credential->text.path != NULL; /* or else it stands in config.json, too */
        const char *message =
            add_credential(f, credential->name, bytes_of(&credential->text), secret);
        if (message != NULL) {
            oci_problems_add_key(f->t->problems, credential->source, "%s", message);
        }
    }
}

/* Unless the user says it: then that holds. Returns NULL, or what is wrong. */
static const char *add_own_credential(struct first_boot *f, const char *name, const char *text,
                                      bool secret)
{
    return oci_named_texts_have(f->t->settings->credentials, name)
               ? NULL
               : add_credential(f, name, g_bytes_new(text, strlen(text)), secret);
}

/* A line of fstab: blanks and backslashes in octal. */
static char *fstab_word(const char *path)
{
    GString *word = g_string_new(NULL);
    for (const char *c = path; *c != '\0'; c++) {
        if (strchr(" \t\n\\", *c) != NULL) {
            g_string_append_printf(word, "\\%03o", *c);
        } else {
            g_string_append_c(word, *c);
        }
    }
    return g_string_free(word, FALSE);
}

static char *fstab_of(const struct vm_spec *spec)
{
    GString *fstab = g_string_new(NULL);
    for (guint i = 0; i < spec->folders->len; i++) {
        const struct vm_folder *folder = g_ptr_array_index(spec->folders, i);
        g_autofree char *tag = fstab_word(folder->tag);
        g_autofree char *at = fstab_word(folder->destination);
        g_string_append_printf(fstab, "%s %s virtiofs %s,nofail 0 0\n", tag, at,
                               folder->readonly ? "ro" : "rw");
    }
    for (guint i = 0; i < spec->files->len; i++) {
        const struct vm_file *file = g_ptr_array_index(spec->files, i);
        g_autofree char *at = fstab_word(file->destination);
        g_string_append_printf(fstab, VM_FILES_DESTINATION "/%s %s none bind,nofail 0 0\n",
                               file->name, at);
    }
    return g_string_free(fstab, FALSE);
}

static bool boots_itself(const struct oci_config *config)
{
    return config->vm.kernel.path == NULL;
}

static char *join_lines(const GPtrArray *lines)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < lines->len; i++) {
        const char *line = g_ptr_array_index(lines, i);
        g_string_append_printf(text, "%s%s", i > 0 ? "\n" : "", line);
    }
    return g_string_free(text, FALSE);
}

static void add_own_credentials(struct first_boot *f)
{
    const struct oci_config *config = f->t->config;
    const char *messages[4] = {NULL};
    if (config->hostname != NULL && boots_itself(config)) {
        messages[0] = add_own_credential(f, "system.hostname", config->hostname, false);
    }
    if (f->keys->len > 0) {
        g_autofree char *lines = join_lines(f->keys);
        messages[1] = add_own_credential(f, "ssh.authorized_keys.root", lines, false);
    }
    if (g_strcmp0(f->user, "root") == 0) {
        messages[2] = add_own_credential(f, "passwd.hashed-password.root", f->hash, true);
    }
    if (f->t->spec->folders->len > 0) {
        g_autofree char *fstab = fstab_of(f->t->spec);
        messages[3] = add_own_credential(f, "fstab.extra", fstab, false);
    }
    static const enum oci_setting_id ids[] = {OCI_SETTING_COUNT, OCI_SETTING_SSH_KEYS,
                                              OCI_SETTING_PASSWORD_HASH, OCI_SETTING_COUNT};
    for (gsize i = 0; i < G_N_ELEMENTS(messages); i++) {
        if (messages[i] != NULL) {
            problem_of(f->t, ids[i], i == 0 ? "hostname" : "mounts", messages[i]);
        }
    }
}

/* --- cloud-init --- */

/* The first setting that asks for it; OCI_SETTING_COUNT: none. */
static enum oci_setting_id asks_for_seed(const struct oci_settings *settings)
{
    static const enum oci_setting_id ids[] = {OCI_SETTING_USER_DATA, OCI_SETTING_META_DATA,
                                              OCI_SETTING_NETWORK_CONFIG, OCI_SETTING_SSH_KEYS,
                                              OCI_SETTING_PASSWORD_HASH};
    for (gsize i = 0; i < G_N_ELEMENTS(ids); i++) {
        if (settings->source[ids[i]] != NULL) {
            return ids[i];
        }
    }
    return OCI_SETTING_COUNT;
}

static bool wants_seed(const struct translation *t)
{
    bool has_news = t->config->hostname != NULL || t->spec->folders->len > 0;
    return asks_for_seed(t->settings) < OCI_SETTING_COUNT || (boots_itself(t->config) && has_news);
}

static GBytes *take_text(char *text)
{
    return text != NULL ? g_bytes_new_take(text, strlen(text)) : NULL;
}

static void add_seed(struct first_boot *f)
{
    struct translation *t = f->t;
    const struct oci_settings *settings = t->settings;
    if (t->spec->disks->len >= VM_DISKS_MAX) {
        problem_of(t, asks_for_seed(settings), t->config->hostname != NULL ? "hostname" : "mounts",
                   "there is no room for the disk with cloud-init's data: the VM has " G_STRINGIFY(
                       VM_DISKS_MAX) " disks already, which is the most");
        return;
    }
    g_autofree char *own =
        oci_text_is_set(&settings->meta_data) ? oci_text_dup(&settings->meta_data) : NULL;
    struct vm_seed *seed = t->spec->seed = vm_seed_new();
    seed->path = g_strconcat(t->host->root, "/run/seed.iso", NULL);
    seed->target = vm_disk_name(t->spec->disks->len);
    seed->meta_data =
        take_text(oci_cloud_init_meta_data(own, t->spec->uuid, t->config->hostname, f->keys));
    if (seed->meta_data == NULL) {
        problem(
            t, OCI_SETTING_META_DATA,
            "what is missing in it, instance-id for example, cannot be added: it must be JSON, "
            "or YAML with a line KEY: VALUE that begins with its key, and without a line ... or "
            "a second ---");
    }
    seed->user_data =
        oci_text_is_set(&settings->user_data)
            ? bytes_of(&settings->user_data)
            : g_bytes_new_static(OCI_CLOUD_INIT_NOTHING, strlen(OCI_CLOUD_INIT_NOTHING));
    seed->vendor_data = take_text(oci_cloud_init_vendor_data(t->spec, f->user, f->hash));
    seed->network_config =
        oci_text_is_set(&settings->network_config) ? bytes_of(&settings->network_config) : NULL;
}

void translate_first_boot(struct translation *t)
{
    struct first_boot f = {.t = t, .keys = g_ptr_array_new_with_free_func(g_free)};
    parse_keys(&f);
    parse_password(&f);
    add_ignition(t);
    add_users_fw_cfg(t);
    add_users_credentials(&f);
    add_own_credentials(&f);
    if (wants_seed(t)) {
        add_seed(&f);
    }
    g_ptr_array_unref(f.keys);
    g_free(f.user);
    g_free(f.hash);
}

void oci_translate_first_boot_warnings(const struct oci_settings *settings, GPtrArray *warnings)
{
    if (settings->user_data.bytes != NULL && !oci_cloud_init_knows(settings->user_data.bytes)) {
        g_ptr_array_add(warnings,
                        g_strdup_printf("%s: cloud-init passes over user-data that does not begin "
                                        "with a line such as #cloud-config or #!/bin/sh; the name "
                                        "of a file begins with / or ./",
                                        settings->source[OCI_SETTING_USER_DATA]));
    }
}
