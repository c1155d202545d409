/* traces: private keys where no format puts them: in a comment, in a field of something else, under base64, behind noise.
 * What is found here only makes an answer worse, never better; each step is linear in the file, each nesting bounded. */
#include "x509/identify.h"

#include "x509/der.h"

#include <openssl/crypto.h>

#include <string.h>

enum {
    NESTING_MAX = 3,       /* base64 in base64 in … */
    TOKEN_LEAST = 16,      /* letters that stand together, to begin a run of base64 */
    GAP_MAX = 24,          /* what a line's end and a quotation mark may take up within a run */
    RUN_LEAST = 44,        /* the shortest key, Ed25519's seed in base64 */
    RUN_UNEXPLAINED = 128, /* longer than a fingerprint: what it is must be known, or said to be not */
    KEY_TEXT_MAX = 16384,  /* no key is longer, in base64 or DER */
    TRIES_MAX = 4096,      /* places of a file at which one may begin */
};

/* ---- Words that only a private key brings -------------------------------------------------------------------- */
static const struct {
    const char *text;
    uint8_t size;
    const char *private;
    bool inside; /* at the beginning it says what the file is, and was read */
} marks[] = {
    {"openssh-key-v1", 15, "possible", false},
    {"PuTTY-User-Key-File-", 20, "possible", false},
    {"SSH PRIVATE KEY FILE FORMAT 1.1", 31, "possible", false},
    {"BEGIN SSH2 ENCRYPTED PRIVATE KEY", 32, "possible", false},
    {"\nprivateExponent:", 17, "clear", false}, /* openssl rsa -text */
    {"\npriv:", 6, "clear", false},             /* openssl pkey -text */
    {"P\0R\0I\0V\0A\0T\0E\0 \0K\0E\0Y", 21, "possible", false},
    {"\xfe\xed\xfe\xed\0\0\0\2", 8, "possible", true}, /* JKS */
    {"\xce\xce\xce\xce\0\0\0\2", 8, "possible", true}, /* JCEKS */
};

static void add_mark(Identified *found, const char *private) {
    const Where where = {.encoding = "embedded"};
    json_t *object = identified_worse(found, private) ? identified_add(found, &where, "key-trace") : NULL;
    if (object)
        json_object_set_new(object, "private", json_string(private));
}

static const char *find(VigieBytes octets, const char *text) {
    return memmem(octets.data, octets.size, text, strlen(text));
}

static bool same_word(const char *at, const char *word) {
    return g_ascii_strncasecmp(at, word, strlen(word)) == 0;
}

/* "BEGIN … PRIVATE KEY" in any case and between any dashes: Word makes others of them. */
static bool names_private_key(VigieBytes octets) {
    static const char word[] = "private key";
    const char *at = (const char *)octets.data, *end = at + octets.size;
    for (; end - at >= (ptrdiff_t)strlen(word); at++) {
        if ((*at | 0x20) != 'p' || !same_word(at, word))
            continue;
        for (ptrdiff_t back = 6; back <= 40 && at - back >= (const char *)octets.data; back++)
            if (same_word(at - back, "begin"))
                return true;
    }
    return false;
}

/* A member of JSON, whatever stands around its colon. */
static bool json_has(VigieBytes octets, const char *quoted) {
    const char *at = find(octets, quoted), *end = (const char *)octets.data + octets.size;
    for (at = at ? at + strlen(quoted) : end; at < end && g_ascii_isspace(*at);)
        at++;
    return at < end && *at == ':';
}

/* Keys of XML signatures (RSAKeyValue with D, RFC 4051) and of JOSE (RFC 7517: "d" of EC and RSA, "k" of oct). */
static bool holds_key_of_the_web(VigieBytes octets) {
    if (find(octets, "<Modulus>") && find(octets, "<D>"))
        return true;
    return json_has(octets, "\"kty\"") && (json_has(octets, "\"d\"") || json_has(octets, "\"k\""));
}

static void find_marks(Identified *found, VigieBytes octets) {
    for (size_t i = 0; i < G_N_ELEMENTS(marks); i++)
        if (memmem(octets.data + marks[i].inside, octets.size - marks[i].inside, marks[i].text,
                   marks[i].size))
            add_mark(found, marks[i].private);
    if (holds_key_of_the_web(octets))
        add_mark(found, "clear");
    if (identified_worse(found, "possible") && names_private_key(octets))
        add_mark(found, "possible");
}

/* A file in which too much begins as keys do is not read to its end, and says so. */
static bool may_try(Identified *found) {
    if (found->tries++ < TRIES_MAX)
        return true;
    add_mark(found, "unknown");
    return false;
}

/* ---- DER anywhere -------------------------------------------------------------------------------------------- */

/* Octets of tag and length of a SEQUENCE; 0: not one. The indefinite form counts: BER has it. */
static size_t sequence_header(VigieBytes at) {
    if (at.size < 12 || at.data[0] != DER_SEQUENCE)
        return 0;
    return at.data[1] <= 0x80 ? 2 : at.data[1] <= 0x84 ? 2 + (size_t)(at.data[1] & 0x7F) : 0;
}

static bool begins(VigieBytes at, size_t skip, const char *octets, size_t size) {
    return at.size >= skip + size && memcmp(at.data + skip, octets, size) == 0;
}

/* What begins like a private key in clear: version, then the rest of RFC 5958, 5915 or 8017. */
static bool like_key(VigieBytes at, size_t header) {
    return begins(at, header, "\2\1\0\x30", 4) || begins(at, header, "\2\1\1\x30", 4) ||
           begins(at, header, "\2\1\0\2", 4) ||
           (begins(at, header, "\2\1\1\4", 4) && at.size > header + 4 && at.data[header + 4] >= 16 &&
            at.data[header + 4] <= 72);
}

/* RFC 8018's schemes (pkcs-5) and PKCS#12's (pkcs-12PbeIds), at the head of what they seal. */
static bool like_sealed(VigieBytes at, size_t header) {
    VigieBytes inner = vigie_bytes(at.data + header, at.size - header);
    size_t more = sequence_header(inner);
    return more && (begins(inner, more, "\6\x09\x2a\x86\x48\x86\xf7\x0d\1\5", 10) ||
                    begins(inner, more, "\6\x0a\x2a\x86\x48\x86\xf7\x0d\1\x0c\1", 11));
}

/* PKCS#8's version and algorithm, then nothing whole: cut, or BER. */
static bool like_cut_key(VigieBytes at, size_t header) {
    VigieBytes algorithm = vigie_bytes(at.data + header + 3, at.size - header - 3);
    size_t inner = sequence_header(algorithm);
    return inner && (begins(algorithm, inner, "\6\7\x2a\x86\x48\xce\x3d\2\1", 9) ||
                     begins(algorithm, inner, "\6\x09\x2a\x86\x48\x86\xf7\x0d\1\1\1", 11) ||
                     begins(algorithm, inner, "\6\3\x2b\x65", 4));
}

static void look_at_sequence(Identified *found, VigieBytes at, size_t header) {
    const Where where = {.encoding = "embedded"};
    if (like_key(at, header)) {
        VigieReader in = vigie_reader(at);
        const char *clause = NULL;
        DerElement element;
        if (!der_next(&in, &element, &clause) || !identify_private_key(found, &where, element.whole))
            if (like_cut_key(at, header))
                add_mark(found, "possible");
    } else if (like_sealed(at, header) && identified_worse(found, "encrypted") && may_try(found)) {
        identify_encrypted_key(found, &where, vigie_bytes(at.data, MIN(at.size, (size_t)KEY_TEXT_MAX)));
    }
}

static void find_der(Identified *found, VigieBytes octets) {
    while (identified_worse(found, "clear")) {
        const uint8_t *at = memchr(octets.data, DER_SEQUENCE, octets.size);
        if (!at)
            return;
        octets = vigie_bytes(at, octets.size - (size_t)(at - octets.data));
        size_t header = sequence_header(octets);
        if (header && octets.size > header + 8)
            look_at_sequence(found, octets, header);
        octets = vigie_bytes(octets.data + 1, octets.size - 1);
    }
}

/* ---- Base64 anywhere ----------------------------------------------------------------------------------------- */
typedef struct {
    GString *text;  /* without what separates its lines, in the alphabet of RFC 4648 4 */
    GArray *starts; /* size_t: where a line begins as DER does */
} Run;

/* The letter of RFC 4648 4, of its two URL-safe ones too where they stand within a word; 0: none. */
static char letter(VigieBytes octets, size_t i) {
    char c = (char)octets.data[i];
    if (g_ascii_isalnum(c) || c == '+' || c == '/' || c == '=')
        return c;
    char before = i > 0 ? (char)octets.data[i - 1] : ' ',
         after = i + 1 < octets.size ? (char)octets.data[i + 1] : ' ';
    bool within =
        (g_ascii_isalnum(before) || before == '-' || before == '_') && (before != '-' || after != '-');
    return within && c == '-' ? '+' : within && c == '_' ? '/' : '\0';
}

static size_t token_size(VigieBytes octets, size_t at) {
    size_t size = 0;
    while (at + size < octets.size && letter(octets, at + size))
        size++;
    return size;
}

/* Takes the run that begins at `at`; answers where it ends. */
static size_t take_run(Run *run, VigieBytes octets, size_t at, size_t size) {
    g_string_truncate(run->text, 0);
    g_array_set_size(run->starts, 0);
    for (;;) {
        size_t start = run->text->len;
        for (size_t i = 0; i < size; i++)
            g_string_append_c(run->text, letter(octets, at + i));
        /* 0x30 and its length: "MA" to "MP" */
        if (size >= 2 && octets.data[at] == 'M' && octets.data[at + 1] >= 'A' && octets.data[at + 1] <= 'P')
            g_array_append_val(run->starts, start);
        at += size;
        size_t gap = at;
        while (gap < octets.size && gap - at < GAP_MAX && !letter(octets, gap))
            gap += octets.data[gap] == '\\' ? 2 : 1; /* "\n" of JSON and of C */
        bool line = at < octets.size &&
                    (octets.data[at] == '\\' || memchr(octets.data + at, '\n', MIN(gap, octets.size) - at));
        bool last = size < TOKEN_LEAST;
        size = gap < octets.size && gap - at < GAP_MAX ? token_size(octets, gap) : 0;
        if (last || size == 0 || (size < TOKEN_LEAST && !line))
            return at;
        at = gap;
    }
}

/* Decodes a run from one of its letters on, and looks into what that gives. True where it is something known. */
static bool look_into(Identified *found, const char *text, size_t size, bool whole, int nesting) {
    g_autofree char *copy = g_strndup(text, size);
    gsize decoded = 0;
    guchar *octets = g_base64_decode(copy, &decoded);
    VigieBytes inside = vigie_bytes(octets, decoded);
    size_t before = json_array_size(found->objects);
    const Where where = {.encoding = "base64"};
    bool known = whole && decoded > 0 && !found->too_many &&
                 (identify_magic(found, &where, inside) || identify_sequence(found, &where, inside));
    identify_traces(found, inside, nesting + 1);
    OPENSSL_cleanse(octets, decoded);
    g_free(octets);
    OPENSSL_cleanse(copy, size);
    return known || json_array_size(found->objects) > before;
}

static bool look_into_run(Identified *found, const Run *run, int nesting) {
    bool known = look_into(found, run->text->str, run->text->len, true, nesting);
    for (guint i = 0; i < run->starts->len && identified_worse(found, "clear"); i++) {
        size_t start = g_array_index(run->starts, size_t, i);
        if (start == 0)
            continue;
        if (!may_try(found))
            break;
        size_t size = MIN(run->text->len - start, (size_t)KEY_TEXT_MAX);
        known = look_into(found, run->text->str + start, size, false, NESTING_MAX) || known;
    }
    return known;
}

static void find_base64(Identified *found, VigieBytes octets, int nesting) {
    Run run = {.text = g_string_new(NULL), .starts = g_array_new(FALSE, FALSE, sizeof(size_t))};
    for (size_t at = 0; at < octets.size && identified_worse(found, "clear");) {
        size_t size = token_size(octets, at);
        if (size < TOKEN_LEAST) {
            at += size + 1;
            continue;
        }
        at = take_run(&run, octets, at, size);
        if (run.text->len < RUN_LEAST)
            continue;
        bool known = look_into_run(found, &run, nesting);
        if (!known && nesting == TRACES_IN_TEXT && run.text->len >= RUN_UNEXPLAINED)
            add_mark(found, "unknown");
        OPENSSL_cleanse(run.text->str, run.text->len);
    }
    g_string_free(run.text, TRUE);
    g_array_free(run.starts, TRUE);
}

void identify_traces(Identified *found, VigieBytes octets, int nesting) {
    if (found->kept || octets.size == 0 || !identified_worse(found, "clear"))
        return;
    bool outer = found->tracing;
    found->tracing = true;
    find_marks(found, octets);
    find_der(found, octets);
    if (nesting < NESTING_MAX)
        find_base64(found, octets, nesting);
    found->tracing = outer;
}
