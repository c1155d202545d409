/* Labels of TLP 2.0 and of PAP: their names, colours, order and marks. */
#include "csirt/triage.h"

#include <string.h>

typedef struct {
    const char *label, *colour;
} Label;

/* Colours as FIRST gives them for TLP 2.0; PAP borrows those of the same names. */
static const Label tlps[VIGIE_TLPS] = {
    [VIGIE_TLP_CLEAR] = {"TLP:CLEAR", "#FFFFFF"}, [VIGIE_TLP_GREEN] = {"TLP:GREEN", "#33FF00"},
    [VIGIE_TLP_AMBER] = {"TLP:AMBER", "#FFC000"}, [VIGIE_TLP_AMBER_STRICT] = {"TLP:AMBER+STRICT", "#FFC000"},
    [VIGIE_TLP_RED] = {"TLP:RED", "#FF2B2B"},
};
static const Label paps[VIGIE_PAPS] = {
    [VIGIE_PAP_CLEAR] = {"PAP:CLEAR", "#FFFFFF"},
    [VIGIE_PAP_GREEN] = {"PAP:GREEN", "#33FF00"},
    [VIGIE_PAP_AMBER] = {"PAP:AMBER", "#FFC000"},
    [VIGIE_PAP_RED] = {"PAP:RED", "#FF2B2B"},
};

enum { PREFIX = 4 /* "TLP:" */ };

const char *csirt_tlp_name(VigieTlp tlp) {
    return tlps[tlp].label + PREFIX;
}

const char *csirt_tlp_label(VigieTlp tlp) {
    return tlps[tlp].label;
}

const char *csirt_tlp_colour(VigieTlp tlp) {
    return tlps[tlp].colour;
}

const char *csirt_pap_name(VigiePap pap) {
    return paps[pap].label + PREFIX;
}

const char *csirt_pap_label(VigiePap pap) {
    return paps[pap].label;
}

const char *csirt_pap_colour(VigiePap pap) {
    return paps[pap].colour;
}

VigieTlp csirt_tlp_combine(VigieTlp a, VigieTlp b) {
    return MAX(a, b);
}

VigiePap csirt_pap_combine(VigiePap a, VigiePap b) {
    return MAX(a, b);
}

/* The position of the label that `text` is, with or without its prefix; -1: none. */
static int find_label(const Label *labels, int count, const char *text) {
    for (int i = 0; i < count; i++)
        if (g_ascii_strcasecmp(text, labels[i].label) == 0 ||
            g_ascii_strcasecmp(text, labels[i].label + PREFIX) == 0)
            return i;
    return -1;
}

static bool is_white(const char *text) {
    return g_ascii_strcasecmp(text, "WHITE") == 0 || g_ascii_strcasecmp(text, "TLP:WHITE") == 0 ||
           g_ascii_strcasecmp(text, "PAP:WHITE") == 0;
}

static void refuse(const char *text, const char *labels, GError **error) {
    g_autofree char *printable = g_utf8_make_valid(text, (gssize)strnlen(text, 40));
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                is_white(text) ? "“%s” is no label: %s; what was WHITE is CLEAR since TLP 2.0"
                               : "“%s” is no label: %s",
                printable, labels);
}

bool csirt_tlp_parse(const char *text, VigieTlp *ret_tlp, GError **error) {
    int found = find_label(tlps, VIGIE_TLPS, text);
    if (found >= 0)
        *ret_tlp = (VigieTlp)found;
    else
        refuse(text, "RED, AMBER+STRICT, AMBER, GREEN or CLEAR", error);
    return found >= 0;
}

bool csirt_pap_parse(const char *text, VigiePap *ret_pap, GError **error) {
    int found = find_label(paps, VIGIE_PAPS, text);
    if (found >= 0)
        *ret_pap = (VigiePap)found;
    else
        refuse(text, "RED, AMBER, GREEN or CLEAR", error);
    return found >= 0;
}

/* ---- Marks in texts --------------------------------------------------------------------------------------- */
/* The label that begins at `text`, its length in *ret_size: the longest, so that AMBER+STRICT is no AMBER. -1: none. */
static int label_at(const char *text, size_t *ret_size) {
    int found = -1;
    *ret_size = 0;
    for (int i = 0; i < VIGIE_TLPS; i++) {
        size_t size = strlen(tlps[i].label);
        if (size > *ret_size && g_ascii_strncasecmp(text, tlps[i].label, size) == 0) {
            found = i;
            *ret_size = size;
        }
    }
    static const char white[] = "TLP:WHITE";
    if (found < 0 && g_ascii_strncasecmp(text, white, sizeof white - 1) == 0) {
        found = VIGIE_TLP_CLEAR;
        *ret_size = sizeof white - 1;
    }
    return found >= 0 && g_ascii_isalnum(text[*ret_size]) ? -1 : found;
}

bool csirt_tlp_find(const char *text, VigieTlp *ret_tlp) {
    int strictest = -1;
    for (; *text; text++) {
        size_t size = 0;
        strictest = MAX(strictest, label_at(text, &size));
    }
    if (strictest >= 0)
        *ret_tlp = (VigieTlp)strictest;
    return strictest >= 0;
}

char *csirt_tlp_subject(VigieTlp tlp, const char *subject) {
    for (;;) {
        size_t size = 0;
        const char *mark = subject + strspn(subject, " ");
        bool bracket = *mark == '[';
        if (label_at(mark + bracket, &size) < 0)
            break;
        mark += bracket + size;
        subject = mark + (bracket && *mark == ']');
    }
    return g_strdup_printf("[%s] %s", csirt_tlp_label(tlp), subject + strspn(subject, " "));
}

char *csirt_tlp_body(VigieTlp tlp, VigiePap pap, const char *body) {
    g_autofree char *mark = pap == VIGIE_PAP_CLEAR
                                ? g_strdup(csirt_tlp_label(tlp))
                                : g_strdup_printf("%s %s", csirt_tlp_label(tlp), csirt_pap_label(pap));
    return g_strdup_printf("%s\n\n%s%s\n%s\n", mark, body, g_str_has_suffix(body, "\n") ? "" : "\n", mark);
}
