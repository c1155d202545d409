/* identifier.c: the check digits of French registers, by Luhn's sum where it is known to be theirs. */
#include "pki/profile.h"

#include <string.h>

static const struct {
    const char *name;
    size_t digits;
    const char *wanted;
} checks[] = {
    {"rpps", 11, "an RPPS number has 11 digits, the last of them a check digit"},
    {"finess", 9, "a FINESS number has 9 digits, the last of them a check digit"},
    {"siret", 14, "a SIRET number has 14 digits, the last of them a check digit"},
};

/* The department where the number was given (2A and 2B in Corsica, 9A to 9F overseas), the profession's code there, and the
 * rank. How its last character is counted is not published, so a form is all that is checked: better than to refuse people
 * whose number is right. */
static const char adeli_form[] = "\\A([0-8][0-9]|9[0-9A-F]|2[AB])[0-9A-Z][0-9]{6}\\z";

bool identifier_known(const char *check) {
    if (strcmp(check, "adeli") == 0)
        return true;
    for (size_t i = 0; i < G_N_ELEMENTS(checks); i++)
        if (strcmp(checks[i].name, check) == 0)
            return true;
    return false;
}

static bool luhn(const char *text, size_t digits) {
    unsigned sum = 0;
    for (size_t i = 0; i < digits; i++) {
        unsigned digit = (unsigned)(text[digits - 1 - i] - '0') * (i % 2 ? 2 : 1);
        sum += digit > 9 ? digit - 9 : digit;
    }
    return sum % 10 == 0;
}

/* La Poste's establishments, under its SIREN 356000000, have numbers whose digits sum to a multiple of five. */
static bool is_la_poste(const char *text) {
    unsigned sum = 0;
    for (const char *at = text; *at; at++)
        sum += (unsigned)(*at - '0');
    return g_str_has_prefix(text, "356000000") && sum % 5 == 0;
}

/* FINESS numbers of Corsica begin with 2A or 2B; how their check digit is counted is not published, so it is not. */
static bool is_corsican(const char *check, const char *text) {
    return strcmp(check, "finess") == 0 && text[0] == '2' && (text[1] == 'A' || text[1] == 'B');
}

const char *identifier_fault(const char *check, const char *text) {
    if (strcmp(check, "adeli") == 0)
        return g_regex_match_simple(adeli_form, text, 0, 0)
                   ? NULL
                   : "an ADELI number has 9 characters: the department, the profession's code, six digits";
    for (size_t i = 0; i < G_N_ELEMENTS(checks); i++) {
        if (strcmp(checks[i].name, check) != 0)
            continue;
        bool corsican = is_corsican(check, text);
        const char *number = corsican ? text + 2 : text;
        if (strlen(text) != checks[i].digits || strspn(number, "0123456789") != strlen(number))
            return checks[i].wanted;
        bool well = corsican || luhn(text, checks[i].digits) || (checks[i].digits == 14 && is_la_poste(text));
        return well ? NULL : checks[i].wanted;
    }
    return "this register is not known";
}
