/* Targets as users write them, read one by one: nothing is held but the line being read. */
#include "net/net.h"
#include "survey/survey.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { LINE_MAX_OCTETS = 1023, PORTS_MAX = 64, NETWORK_BITS_MAX = 24, SHOWN_MAX = 80 };

/* One line, spread out: `count` addresses from `first` on (or the name), each with all ports. */
typedef struct {
    char host[LINE_MAX_OCTETS + 1];
    bool is_network;
    VigieAddress first;
    uint64_t count, at;
    struct {
        uint16_t port;
        VigieProtocol protocol;
    } ports[PORTS_MAX];
    size_t port_count, port_at;
} Expression;

/* A text, or a file. */
typedef struct {
    char *text;
    char *path;
    FILE *file;
    unsigned line;
    double size, read; /* of a regular file; 0: not known */
} Source;

struct VigieTargets {
    void (*complain)(const VigieTargetComplaint *complaint, void *data);
    void *data;
    GPtrArray *sources;
    guint source;
    uint64_t bad;
    Expression now;
};

#define PROBLEM(name) ("refusal.target." name)

/* ---- Reading one expression -------------------------------------------------------------------------- */
static bool read_number(const char *text, size_t size, unsigned max, unsigned *ret_number) {
    unsigned number = 0;
    if (size == 0 || size > 5)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (!g_ascii_isdigit(text[i]))
            return false;
        number = number * 10 + (unsigned)(text[i] - '0');
    }
    if (number > max)
        return false;
    *ret_number = number;
    return true;
}

/* "443", "2762/dicom" */
static const char *read_port(const char *text, size_t size, Expression *ret) {
    const char *slash = memchr(text, '/', size);
    size_t digits = slash ? (size_t)(slash - text) : size;
    unsigned port;
    if (!read_number(text, digits, 65535, &port) || port == 0)
        return PROBLEM("bad-port");
    VigieProtocol protocol = vigie_protocol_of_port((uint16_t)port);
    if (slash) {
        g_autofree char *name = g_strndup(slash + 1, size - digits - 1);
        if (!vigie_protocol_parse(name, &protocol))
            return PROBLEM("bad-protocol");
    }
    if (ret->port_count == PORTS_MAX)
        return PROBLEM("many-ports");
    ret->ports[ret->port_count].port = (uint16_t)port;
    ret->ports[ret->port_count++].protocol = protocol;
    return NULL;
}

static const char *read_ports(const char *text, Expression *ret) {
    for (;;) {
        size_t size = strcspn(text, ",");
        const char *problem = read_port(text, size, ret);
        if (problem || !text[size])
            return problem;
        text += size + 1;
    }
}

/* ret->host holds "10.0.0.7/24": the network begins where the prefix says, whatever the address given. */
static const char *read_network(Expression *ret, char *slash) {
    *slash = '\0';
    unsigned prefix;
    if (!net_address_parse(ret->host, &ret->first))
        return PROBLEM("bad-network");
    unsigned width = ret->first.v6 ? 128 : 32;
    if (!read_number(slash + 1, strlen(slash + 1), width, &prefix))
        return PROBLEM("bad-network");
    if (width - prefix > NETWORK_BITS_MAX)
        return PROBLEM("large-network");
    for (unsigned bit = prefix; bit < width; bit++)
        ret->first.octets[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
    ret->count = UINT64_C(1) << (width - prefix);
    ret->is_network = true;
    return NULL;
}

static const char *read_host(Expression *ret, bool bracketed) {
    VigieAddress address;
    char ascii[NET_NAME_MAX];
    const char *problem;
    char *slash = strchr(ret->host, '/');
    if (slash)
        return read_network(ret, slash);
    if (bracketed)
        return net_address_parse(ret->host, &address) && address.v6 ? NULL : PROBLEM("bad-address");
    if (strspn(ret->host, "0123456789.") == strlen(ret->host) && ret->host[0])
        return net_address_parse(ret->host, &address) ? NULL : PROBLEM("bad-address");
    return net_name_ascii(ret->host, ascii, &problem) ? NULL : PROBLEM("bad-name");
}

/* NULL, or the problem's key; `ret` may be half filled then. */
static const char *read_expression(const char *text, Expression *ret) {
    *ret = (Expression){.count = 1};
    bool bracketed = text[0] == '[';
    const char *host = text + bracketed, *end = strchr(host, bracketed ? ']' : ':');
    if (!end)
        return bracketed ? PROBLEM("no-bracket") : PROBLEM("no-port");
    const char *colon = end + bracketed;
    if (*colon != ':' || !colon[1])
        return PROBLEM("no-port");
    if (strchr(colon + 1, ':'))
        return strstr(text, "://") ? PROBLEM("url") : PROBLEM("bare-ipv6");
    if (g_str_has_prefix(colon, "://"))
        return PROBLEM("url");
    if ((size_t)(end - host) >= sizeof ret->host)
        return PROBLEM("long-line");
    memcpy(ret->host, host, (size_t)(end - host));
    const char *problem = read_host(ret, bracketed);
    return problem ? problem : read_ports(colon + 1, ret);
}

static void fill_target(const Expression *now, VigieTarget *ret) {
    *ret =
        (VigieTarget){.port = now->ports[now->port_at].port, .protocol = now->ports[now->port_at].protocol};
    if (now->is_network) {
        VigieAddress address = net_address_plus(&now->first, now->at);
        ret->host = g_malloc(NET_ADDRESS_TEXT);
        net_address_text(&address, ret->host);
    } else {
        ret->host = g_strdup(now->host);
    }
}

bool survey_target_parse(const char *text, VigieTarget *ret_target, GError **error) {
    g_autofree Expression *expression = g_new(Expression, 1);
    g_autofree char *trimmed = g_strstrip(g_strdup(text));
    const char *problem = strlen(trimmed) > LINE_MAX_OCTETS || !g_utf8_validate(trimmed, -1, NULL)
                              ? PROBLEM("not-utf8")
                              : read_expression(trimmed, expression);
    if (!problem && (expression->count > 1 || expression->port_count > 1))
        problem = PROBLEM("several");
    if (problem) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "target \"%.80s\": %s",
                    g_utf8_validate(trimmed, -1, NULL) ? trimmed : "…", vigie_word(VIGIE_EN, problem));
        return false;
    }
    fill_target(expression, ret_target);
    return true;
}

/* ---- The stream -------------------------------------------------------------------------------------- */
static void source_free(gpointer data) {
    Source *source = data;
    if (source->file && source->file != stdin)
        fclose(source->file);
    g_free(source->text);
    g_free(source->path);
    g_free(source);
}

VigieTargets *survey_targets_new(void (*complain)(const VigieTargetComplaint *, void *), void *data) {
    VigieTargets *targets = g_new0(VigieTargets, 1);
    targets->complain = complain;
    targets->data = data;
    targets->sources = g_ptr_array_new_with_free_func(source_free);
    return targets;
}

void survey_targets_free(VigieTargets *targets) {
    if (!targets)
        return;
    g_ptr_array_unref(targets->sources);
    g_free(targets);
}

void survey_targets_add(VigieTargets *targets, const char *text) {
    Source *source = g_new0(Source, 1);
    source->text = g_strdup(text);
    g_ptr_array_add(targets->sources, source);
}

bool survey_targets_add_file(VigieTargets *targets, const char *path, GError **error) {
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    struct stat status;
    if (!file || fstat(fileno(file), &status) != 0 || S_ISDIR(status.st_mode)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "targets %s: %s", path,
                    file ? "is a folder; a file with one target a line is wanted" : g_strerror(errno));
        if (file && !is_stdin)
            fclose(file);
        return false;
    }
    Source *source = g_new0(Source, 1);
    source->path = g_strdup(is_stdin ? "stdin" : path);
    source->file = file;
    source->size = S_ISREG(status.st_mode) ? (double)status.st_size : 0;
    g_ptr_array_add(targets->sources, source);
    return true;
}

uint64_t survey_targets_bad(const VigieTargets *targets) {
    return targets->bad;
}

double survey_targets_share(const VigieTargets *targets) {
    double all = 0, read = 0;
    for (guint i = 0; i < targets->sources->len; i++) {
        const Source *source = targets->sources->pdata[i];
        if (source->file && source->size <= 0)
            return -1;
        double size = source->file ? source->size : (double)strlen(source->text);
        double done = i < targets->source   ? size
                      : i > targets->source ? 0
                      : source->file        ? source->read
                                            : size;
        all += size;
        read += done;
    }
    const Expression *now = &targets->now;
    double spread = (double)now->count * (double)now->port_count;
    double left = spread - ((double)now->port_at * (double)now->count + (double)now->at);
    if (targets->sources->len == 1 && all > 0 && spread > 1 && read >= all)
        return 1 - left / spread; /* one network on the command line */
    return all > 0 ? MIN(1, read / all) : 1;
}

static void complain(VigieTargets *targets, const Source *source, const char *text, const char *problem) {
    targets->bad++;
    if (!targets->complain)
        return;
    g_autofree char *valid = g_utf8_make_valid(text, (gssize)strnlen(text, SHOWN_MAX));
    for (char *c = valid; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    targets->complain(&(VigieTargetComplaint){source->path, source->line, valid, problem}, targets->data);
}

/* The next line without its end. False at the end of the file; `*ret_problem` where the line cannot be used.
 */
static bool read_line(Source *source, char line[LINE_MAX_OCTETS + 1], const char **ret_problem) {
    size_t size = 0;
    int c;
    *ret_problem = NULL;
    while ((c = getc_unlocked(source->file)) != EOF && c != '\n') {
        source->read++;
        if (size < LINE_MAX_OCTETS)
            line[size++] = (char)c;
        else
            *ret_problem = PROBLEM("long-line");
        if (c == '\0')
            *ret_problem = PROBLEM("not-utf8");
    }
    source->read++;
    line[size] = '\0';
    source->line++;
    return c != EOF || size > 0;
}

/* Spaces and comments aside; "" where nothing is left. */
static char *essence(Source *source, char *line) {
    if (source->line == 1 && g_str_has_prefix(line, "\xef\xbb\xbf"))
        line += 3;
    line[strcspn(line, "#")] = '\0';
    return g_strstrip(line);
}

/* Fills targets->now from the source; false when the source has no more. */
static bool read_source(VigieTargets *targets, Source *source) {
    char line[LINE_MAX_OCTETS + 1];
    for (;;) {
        const char *problem = NULL;
        char *text = line;
        if (source->file) {
            if (!read_line(source, line, &problem))
                return false;
        } else {
            if (source->line++ > 0)
                return false;
            if (g_strlcpy(line, source->text, sizeof line) >= sizeof line)
                problem = PROBLEM("long-line");
        }
        if (!problem && !*(text = essence(source, line)) && source->file)
            continue;
        if (!problem && !g_utf8_validate(text, -1, NULL))
            problem = PROBLEM("not-utf8");
        if (!problem)
            problem = read_expression(text, &targets->now);
        if (!problem)
            return true;
        targets->now.port_count = 0;
        complain(targets, source, text, problem);
    }
}

bool survey_targets_next(VigieTarget *ret_target, void *data) {
    VigieTargets *targets = data;
    Expression *now = &targets->now;
    while (now->port_at >= now->port_count) {
        if (targets->source >= targets->sources->len)
            return false;
        if (!read_source(targets, targets->sources->pdata[targets->source]))
            targets->source++;
    }
    fill_target(now, ret_target);
    if (++now->at >= now->count) {
        now->at = 0;
        now->port_at++;
    }
    return true;
}
