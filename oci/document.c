// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/document.h"
#include "oci/problems.h"
#include "src/util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static bool read_all(int fd, GByteArray *bytes, const char *path, GError **error)
{
    char chunk[64 * 1024];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            error_set_errno(error, ERROR_CONFIG, errno, "cannot read %s", path);
            return false;
        }
        if (n == 0) {
            return true;
        }
        g_byte_array_append(bytes, (const guint8 *)chunk, n);
        if (bytes->len > OCI_DOCUMENT_MAX_BYTES) {
            g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG,
                        "%s is larger than %u MiB, the most that such a file may be", path,
                        OCI_DOCUMENT_MAX_BYTES >> 20);
            return false;
        }
    }
}

char *oci_document_read(const char *path, gsize *length, GError **error)
{
    bool standard_input = g_str_equal(path, "-");
    int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        error_set_errno(error, ERROR_CONFIG, errno, "cannot open %s", path);
        return NULL;
    }
    GByteArray *bytes = g_byte_array_new();
    bool ok = read_all(fd, bytes, standard_input ? "standard input" : path, error);
    if (!standard_input) {
        close(fd);
    }
    *length = bytes->len;
    g_byte_array_append(bytes, (const guint8 *)"", 1);
    char *text = (char *)g_byte_array_free(bytes, FALSE);
    return ok ? text : (g_free(text), NULL);
}

/* Whether the integer of @n digits, behind a sign or not, is past 64 bits signed. */
static bool is_long(const char *digits, gsize n, bool negative)
{
    const char *limit = negative ? "9223372036854775808" : "9223372036854775807";
    return n > strlen(limit) || (n == strlen(limit) && strncmp(digits, limit, n) > 0);
}

/*
 * jansson refuses a whole file for one integer past 64 bits signed, and engines write such
 * (RLIM_INFINITY). In a copy of the text the first of them becomes the real 1e-300, the second
 * 2e-300 and so on, with spaces for the other digits: who meets one of these looks its digits up.
 */
#define LONG_INTEGER_MARK "%ue-300"

static void hide_long_integer(char *text, gsize start, gsize length, guint number)
{
    char mark[24];
    gsize used = g_snprintf(mark, sizeof(mark), LONG_INTEGER_MARK, number);
    memset(text + start, ' ', length);
    memcpy(text + start, mark, MIN(used, length)); /* at least 19 digits: it always fits */
}

char *oci_document_long_integer(const struct oci_document *document, double value)
{
    char mark[24];
    double number = fabs(value) * 1e300;
    if (!(number < document->long_integers->len + 0.5)) {
        return NULL;
    }
    guint index = (guint)(number + 0.5);
    g_snprintf(mark, sizeof(mark), LONG_INTEGER_MARK, index);
    if (index == 0 || g_ascii_strtod(mark, NULL) != fabs(value)) {
        return NULL;
    }
    struct oci_span span = g_array_index(document->long_integers, struct oci_span, index - 1);
    return g_strndup(document->text + span.start, span.length);
}

/* What a look at the bytes finds, before jansson sees them. */
struct scan {
    char *text; /* a copy, in which long integers are hidden */
    gsize length;
    gsize at;
    gsize depth;
    GArray *long_integers;
    const char *refusal; /* NULL: none; else of what stands at @at */
};

static void scan_string(struct scan *scan)
{
    gsize start = scan->at++;
    while (scan->at < scan->length && scan->text[scan->at] != '"') {
        scan->at += scan->text[scan->at] == '\\' ? 2 : 1; /* what it escapes ends no string */
    }
    scan->at++;
    if (scan->at - start > OCI_DOCUMENT_MAX_STRING) {
        scan->at = start;
        scan->refusal = "this string is longer than 256 KiB, the most that a string may be";
    }
}

/* Whether @text, without its sign, is a number as JSON writes it. */
static bool is_number(const char *text, gsize length)
{
    gsize at = *text == '0' ? 1 : strspn(text, "0123456789");
    if (text[at] == '.') {
        gsize digits = strspn(text + at + 1, "0123456789");
        at = digits > 0 ? at + 1 + digits : length + 1;
    }
    if (at < length && (text[at] == 'e' || text[at] == 'E')) {
        at += 1 + (text[at + 1] == '+' || text[at + 1] == '-');
        gsize digits = strspn(text + at, "0123456789");
        at = digits > 0 ? at + digits : length + 1;
    }
    return at == length;
}

/* A number that could be taken for one of ours becomes 0.0: nothing of a config is as small. */
static void hide_tiny_number(char *text, gsize length)
{
    double value = g_ascii_strtod(text, NULL);
    if (value > 0 && value < 1e-200 && is_number(text, length)) { /* six characters or more */
        memset(text, ' ', length);
        memcpy(text, "0.0", 3);
    }
}

static void scan_number(struct scan *scan)
{
    char *digits = scan->text + scan->at;
    gsize n = strspn(digits, "0123456789"), after = strspn(digits, "0123456789.eE+-");
    bool negative = scan->at > 0 && digits[-1] == '-';
    if (after == n && *digits != '0' && is_long(digits, n, negative)) {
        struct oci_span span = {scan->at - negative, n + negative};
        g_array_append_val(scan->long_integers, span);
        hide_long_integer(scan->text, scan->at, n, scan->long_integers->len);
    } else if (after > n) {
        hide_tiny_number(digits, after);
    }
    scan->at += after;
}

/* Finds long integers, and what is too much for a config.json. */
static void scan(struct scan *scan)
{
    while (scan->at < scan->length && scan->refusal == NULL) {
        char c = scan->text[scan->at];
        if (c == '"') {
            scan_string(scan);
        } else if (g_ascii_isdigit(c)) {
            scan_number(scan);
        } else if (c == '{' || c == '[') {
            if (++scan->depth > OCI_DOCUMENT_MAX_DEPTH) {
                scan->refusal = "objects and arrays are nested deeper than 64";
                break;
            }
            scan->at++;
        } else {
            scan->depth -= (c == '}' || c == ']') && scan->depth > 0;
            scan->at++;
        }
    }
}

/* What people write who take JSON for JavaScript; NULL: it is none of that. @at is where jansson
 * did not understand it, or the end of the word. */
static const char *find_habit(const char *text, gsize at, const char *words)
{
    gsize before = at;
    while (before > 0 && strchr(" \t\r\n", text[before - 1]) != NULL) {
        before--;
    }
    if (text[at] == '/' || text[at] == '#') {
        return "there are no comments in JSON: remove this one";
    }
    if ((text[at] == '}' || text[at] == ']') && before > 0 && text[before - 1] == ',') {
        return "there must be no comma before the closing bracket";
    }
    if (text[at] == '\'') {
        return "strings stand between \", not between '";
    }
    if (g_str_has_prefix(words, "string or '}'") && g_ascii_isalnum(text[at])) {
        return "names must stand between \"";
    }
    bool separated = g_str_has_prefix(words, "'}' expected") || g_str_has_prefix(words, "']' exp");
    return separated ? "there must be a comma before this, or a closing bracket" : NULL;
}

/* jansson's words, without the token that it read last if that is none of the file's but stands for
 * a number that is hidden. */
static char *true_words(const char *words)
{
    static const char near[] = " near '";
    const char *at = g_strrstr(words, near);
    const char *token = at != NULL ? at + strlen(near) : NULL;
    bool hidden =
        token != NULL && (g_strrstr(token, "e-300'") != NULL || strcmp(token, "0.0'") == 0);
    return hidden ? g_strndup(words, at - words) : g_strdup(words);
}

/* jansson's words on what it found, or better ones for what it cannot put into words. */
static void explain_syntax(const struct oci_document *document, const json_error_t *error,
                           struct oci_problems *problems)
{
    unsigned line, column; /* jansson's column counts characters, ours bytes */
    gsize at = MIN((gsize)MAX(error->position, 1) - 1, document->length);
    oci_document_line_column(document, at, &line, &column);
    const char *habit = find_habit(document->text, at, error->text);
    g_autofree char *words = true_words(error->text);
    const char *message = habit != NULL ? habit : words;
    if (strspn(document->text, " \t\r\n") == document->length) {
        message = "there is nothing in it";
    } else if (g_str_has_prefix(document->text, "\xef\xbb\xbf")) {
        message = "it begins with a byte order mark; save it as UTF-8 without one";
        line = column = 1;
    }
    oci_problems_add_syntax(problems, line, column, "not valid JSON: %s", message);
}

bool oci_document_init(struct oci_document *document, char *text, gsize length,
                       struct oci_problems *problems)
{
    *document = (struct oci_document){.text = text, .length = length};
    problems->document = document;

    g_autofree char *copy = g_memdup2(text, length + 1);
    document->long_integers = g_array_new(FALSE, FALSE, sizeof(struct oci_span));
    struct scan found = {.text = copy, .length = length, .long_integers = document->long_integers};
    scan(&found);
    if (found.refusal != NULL) {
        unsigned line, column;
        oci_document_line_column(document, found.at, &line, &column);
        oci_problems_add_syntax(problems, line, column, "%s", found.refusal);
        return false;
    }
    json_error_t error;
    /* JSON_ALLOW_NUL: decoding refuses it with a better message. */
    json_t *root = json_loadb(copy, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (root == NULL) {
        explain_syntax(document, &error, problems);
        return false;
    }
    if (!json_is_object(root)) {
        oci_problems_add(problems, "", "must be a JSON object: { \"ociVersion\": \"1.3.0\", … }");
        json_decref(root);
        return false;
    }
    document->root = root;
    return true;
}

void oci_document_finish(struct oci_document *document)
{
    json_decref(document->root);
    g_free(document->text);
    g_clear_pointer(&document->long_integers, g_array_unref);
    *document = (struct oci_document){0};
}

/*
 * A cursor over text that jansson has found to be valid; it still never leaves the text.
 */
struct cursor {
    const char *text;
    gsize length;
    gsize at;
};

static char peek(const struct cursor *c)
{
    return c->at < c->length ? c->text[c->at] : '\0';
}

static void skip_space(struct cursor *c)
{
    while (c->at < c->length && strchr(" \t\r\n", c->text[c->at]) != NULL) {
        c->at++;
    }
}

static void skip_string(struct cursor *c)
{
    c->at++; /* the opening quote */
    while (c->at < c->length && c->text[c->at] != '"') {
        c->at += c->text[c->at] == '\\' ? 2 : 1;
    }
    c->at = MIN(c->at + 1, c->length);
}

static void skip_value(struct cursor *c)
{
    gsize depth = 0;
    do {
        skip_space(c);
        switch (peek(c)) {
        case '{':
        case '[':
            depth++;
            c->at++;
            break;
        case '}':
        case ']':
            depth--;
            c->at++;
            break;
        case '"':
            skip_string(c);
            break;
        case ',':
        case ':':
            c->at++;
            break;
        case '\0':
            return;
        default:
            while (c->at < c->length && strchr(",:{}[]\" \t\r\n", c->text[c->at]) == NULL) {
                c->at++;
            }
        }
        skip_space(c);
    } while (depth > 0);
}

/* Whether the JSON string at the cursor says @name. */
static bool string_equals(const struct cursor *c, const char *name, gsize name_length)
{
    struct cursor end = *c;
    skip_string(&end);
    const char *token = c->text + c->at;
    gsize length = end.at - c->at;
    if (memchr(token, '\\', length) == NULL) {
        return length == name_length + 2 && memcmp(token + 1, name, name_length) == 0;
    }
    json_t *decoded = json_loadb(token, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool equal = json_is_string(decoded) && json_string_length(decoded) == name_length &&
                 memcmp(json_string_value(decoded), name, name_length) == 0;
    json_decref(decoded);
    return equal;
}

/* From the start of an object to the value of @name; false: it has none. */
static bool enter_member(struct cursor *c, const char *name, gsize length, gsize *key)
{
    if (peek(c) != '{') {
        return false;
    }
    c->at++;
    for (;;) {
        skip_space(c);
        if (peek(c) != '"') {
            return false;
        }
        *key = c->at;
        bool found = string_equals(c, name, length);
        skip_string(c);
        skip_space(c);
        c->at++; /* the colon */
        skip_space(c);
        if (found) {
            return true;
        }
        skip_value(c);
        if (peek(c) == ',') {
            c->at++;
        }
    }
}

static bool enter_element(struct cursor *c, guint64 index)
{
    if (peek(c) != '[') {
        return false;
    }
    c->at++;
    for (;; index--) {
        skip_space(c);
        if (peek(c) == ']' || peek(c) == '\0') {
            return false;
        }
        if (index == 0) {
            return true;
        }
        skip_value(c);
        if (peek(c) == ',') {
            c->at++;
        }
    }
}

/* Takes one step of @path off its front: a name or an index. */
static bool next_step(const char **path, GString *name, guint64 *index)
{
    const char *p = *path;
    g_string_truncate(name, 0);
    if (g_str_has_prefix(p, "[\"")) {
        for (p += 2; *p != '\0' && *p != '"'; p++) {
            if (*p == '\\' && p[1] != '\0') {
                p++;
            }
            g_string_append_c(name, *p);
        }
        *path = g_str_has_prefix(p, "\"]") ? p + 2 : p;
        return true;
    }
    if (*p == '[') {
        char *end;
        *index = g_ascii_strtoull(p + 1, &end, 10);
        *path = *end == ']' ? end + 1 : end;
        return false;
    }
    p += *p == '.';
    gsize length = strcspn(p, ".[");
    g_string_append_len(name, p, length);
    *path = p + length;
    return true;
}

bool oci_document_locate(const struct oci_document *document, const char *path,
                         struct oci_position *position)
{
    struct cursor cursor = {.text = document->text, .length = document->length};
    skip_space(&cursor);
    *position = (struct oci_position){cursor.at, cursor.at};
    if (document->root == NULL) {
        return false;
    }
    g_autoptr(GString) name = g_string_new(NULL);
    while (*path != '\0') {
        guint64 index = 0;
        gsize key = 0;
        bool named = next_step(&path, name, &index);
        bool found = named ? enter_member(&cursor, name->str, name->len, &key)
                           : enter_element(&cursor, index);
        if (!found) {
            return false;
        }
        *position = (struct oci_position){named ? key : cursor.at, cursor.at};
    }
    return true;
}

void oci_document_line_column(const struct oci_document *document, gsize offset, unsigned *line,
                              unsigned *column)
{
    *line = 1;
    gsize start = 0;
    for (gsize i = 0; i < offset && i < document->length; i++) {
        if (document->text[i] == '\n') {
            (*line)++;
            start = i + 1;
        }
    }
    *column = offset - start + 1;
}

char *oci_document_token(const struct oci_document *document, const char *path)
{
    struct oci_position position;
    if (!oci_document_locate(document, path, &position)) {
        return NULL;
    }
    struct cursor end = {document->text, document->length, position.value};
    skip_value(&end);
    gsize length = end.at - position.value;
    while (length > 0 && strchr(" \t\r\n", document->text[position.value + length - 1]) != NULL) {
        length--;
    }
    return g_strndup(document->text + position.value, length);
}

char *oci_path_child(const char *parent, const char *name)
{
    if (*name != '\0' && strpbrk(name, ".[]\"\\ ") == NULL) {
        return g_strconcat(parent, *parent != '\0' ? "." : "", name, NULL);
    }
    GString *path = g_string_new(parent);
    g_string_append(path, "[\"");
    for (const char *p = name; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\') {
            g_string_append_c(path, '\\');
        }
        g_string_append_c(path, *p);
    }
    g_string_append(path, "\"]");
    return g_string_free(path, FALSE);
}

char *oci_path_element(const char *list, gsize index, const char *member)
{
    return g_strdup_printf("%s[%" G_GSIZE_FORMAT "]%s%s", list, index, member != NULL ? "." : "",
                           member != NULL ? member : "");
}
