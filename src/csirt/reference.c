/* Case references and their check letter.
 *
 * The digits of year and number are coefficients of powers of 5 modulo 23, a prime above all digits. 5 generates all
 * 22 residues, so that no two of up to 22 positions weigh the same: one wrong digit changes the sum, and so do two
 * digits that changed places, wherever they stand. The remainder names one of 23 letters; I, O and U are left out,
 * which are misread or misheard. A letter among digits is an error of its own, so digit and check letter cannot swap. */
#include "csirt/triage.h"

#include <inttypes.h>
#include <string.h>

enum {
    YEAR_DIGITS = 4,
    NUMBER_DIGITS = 6,
    NUMBER_DIGITS_MAX = 9,
    MODULUS = 23,
    FIND_MAX = 16,
    FIND_BYTES = 4096
};

static const char check_letters[MODULUS + 1] = "ABCDEFGHJKLMNPQRSTVWXYZ";

static char check_letter(const char *digits, size_t size) {
    int sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (sum * 5 + digits[i] - '0') % MODULUS;
    return check_letters[sum];
}

bool csirt_prefix_valid(const char *prefix) {
    size_t size = strspn(prefix, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    return prefix[size] == '\0' && size >= 2 && size <= 12 && g_ascii_isalpha(prefix[0]);
}

char *csirt_reference_text(const char *prefix, VigieReference reference) {
    char digits[32];
    int size = g_snprintf(digits, sizeof digits, "%04d%06" PRId64, reference.year, reference.number);
    return g_strdup_printf("%s-%.4s-%s-%c", prefix, digits, digits + YEAR_DIGITS,
                           check_letter(digits, (size_t)size));
}

/* The separators that mail programs and word processors make of a dash or a space: their length at `text`, or 0. */
static size_t separator(const char *text) {
    if (*text == ' ' || *text == '-' || *text == '_' || *text == '.' || *text == '\t')
        return 1;
    gunichar c = g_utf8_get_char_validated(text, -1);
    if (c == 0xA0 || (c >= 0x2010 && c <= 0x2015) || c == 0x202F || c == 0x2212 || c == 0xAD || c == 0x2009)
        return (size_t)g_unichar_to_utf8(c, NULL);
    return 0;
}

static const char *skip(const char *text) {
    for (size_t size; (size = separator(text)) > 0;)
        text += size;
    return text;
}

/* Reads the prefix; NULL where `text` does not begin with it. */
static const char *read_prefix(const char *prefix, const char *text) {
    for (; *prefix; prefix++, text++)
        if (g_ascii_toupper(*(text = skip(text))) != *prefix)
            return NULL;
    return text;
}

typedef enum { READ, NO_PREFIX, NO_DIGIT, TOO_FEW, TOO_MANY, NO_LETTER, WRONG_LETTER, ZERO } Outcome;

/* Reads one reference from the start of `text`; `ret_end` is where it ends, or where reading stopped. */
static Outcome read_reference(const char *prefix, const char *text, VigieReference *ret_reference,
                              const char **ret_end) {
    char digits[YEAR_DIGITS + NUMBER_DIGITS_MAX + 1];
    size_t count = 0;
    *ret_end = text;
    const char *at = read_prefix(prefix, text);
    if (!at)
        return NO_PREFIX;
    for (at = skip(at); g_ascii_isdigit(*at); at = skip(at + 1)) {
        if (count == sizeof digits - 1)
            return TOO_MANY;
        digits[count++] = *at;
    }
    *ret_end = at;
    digits[count] = '\0';
    if (count < YEAR_DIGITS + NUMBER_DIGITS)
        return *at && !g_ascii_isspace(*at) ? NO_DIGIT : TOO_FEW;
    if (!g_ascii_isalpha(*at))
        return NO_LETTER;
    if (g_ascii_toupper(*at) != check_letter(digits, count))
        return WRONG_LETTER;
    int64_t number = g_ascii_strtoll(digits + YEAR_DIGITS, NULL, 10);
    if (number == 0 || digits[0] < '2' || (count > YEAR_DIGITS + NUMBER_DIGITS && digits[YEAR_DIGITS] == '0'))
        return ZERO;
    digits[YEAR_DIGITS] = '\0';
    *ret_reference = (VigieReference){.year = (int)g_ascii_strtoll(digits, NULL, 10), .number = number};
    *ret_end = at + 1;
    return READ;
}

bool csirt_reference_parse(const char *prefix, const char *text, VigieReference *ret_reference,
                           GError **error) {
    static const char *const whys[] = {
        [NO_PREFIX] = "it does not begin with this team's prefix",
        [NO_DIGIT] =
            "after the prefix come four digits of the year and six of the number, here is something else",
        [TOO_FEW] = "digits are missing: four of the year and six of the number",
        [TOO_MANY] = "too many digits",
        [NO_LETTER] = "the check letter at the end is missing",
        [WRONG_LETTER] = "the check letter does not fit: a digit is wrong, or two changed places",
        [ZERO] = "there is no such year or number",
    };
    VigieReference reference;
    const char *end = NULL;
    const char *start = skip(text);
    Outcome outcome = read_reference(prefix, start, &reference, &end);
    if (outcome == READ && *skip(end) == '\0') {
        *ret_reference = reference;
        return true;
    }
    g_autofree char *example = csirt_reference_text(prefix, (VigieReference){2026, 123});
    g_autofree char *printable = g_utf8_make_valid(text, (gssize)strnlen(text, CSIRT_REFERENCE_MAX));
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "“%s” is no case reference: %s; an example is %s",
                printable, outcome == READ ? "something follows the check letter" : whys[outcome], example);
    return false;
}

static bool found_already(const GArray *found, VigieReference reference) {
    for (guint i = 0; i < found->len; i++) {
        const VigieReference *other = &g_array_index(found, VigieReference, i);
        if (other->year == reference.year && other->number == reference.number)
            return true;
    }
    return false;
}

GArray *csirt_references_find(const char *prefix, const char *text) {
    GArray *found = g_array_new(FALSE, FALSE, sizeof(VigieReference));
    const char *limit = text + strnlen(text, FIND_BYTES);
    bool within_word = false;
    for (const char *at = text; at < limit && found->len < FIND_MAX;) {
        VigieReference reference;
        const char *end = at;
        if (!within_word && read_reference(prefix, at, &reference, &end) == READ && !g_ascii_isalnum(*end)) {
            if (!found_already(found, reference))
                g_array_append_val(found, reference);
            at = end;
        }
        within_word = g_ascii_isalnum(*at);
        at += *at ? 1 : 0;
        if (!*at)
            break;
    }
    return found;
}
