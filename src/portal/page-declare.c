/* page-declare: the public page on which anyone declares, reports or asks; and its drafts. */
#include "portal/account.h"
#include "portal/declare.h"
#include "portal/present.h"

#include <string.h>

enum { TEN_MINUTES = 600 };

const Limit declare_limit_receipt = {"receipt", 60, TEN_MINUTES};
const Limit declare_limit_check = {"check", 30, TEN_MINUTES};
const Limit declare_limit_draft = {"draft", 20, TEN_MINUTES};

bool declare_ready(const Request *request, GError **error) {
    if (request->portal->declarations)
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                "no CSIRT takes declarations here: csirt.team is empty");
    return false;
}

bool declare_allowed(const Request *request, const Limit *limit, int64_t *ret_wait) {
    bool known = *request->address; /* a local proxy that does not say for whom it asks */
    return !known || limits_take(request->portal->limits, limit, request->address, request->now, ret_wait);
}

/* ---- Under attack ------------------------------------------------------------------------------------------- */
static Limit by_address(const Request *request) {
    return (Limit){"declaration",
                   (unsigned)vigie_config_int(request->portal->config, "csirt.declarations_address"),
                   TEN_MINUTES};
}

static Limit altogether(const Request *request) {
    return (Limit){"attack", (unsigned)vigie_config_int(request->portal->config, "csirt.declarations_minute"),
                   60};
}

/* More come than people ever sent: who sends has to show some work. */
static bool under_attack(const Request *request) {
    Limit all = altogether(request);
    return all.most > 0 && limits_full(request->portal->limits, &all, "*", request->now);
}

/* Neither a trap that was filled in nor a missing proof loses a declaration: it waits behind the others. */
static bool is_unproven(const Request *request, const char *nonce) {
    const char *trap = request_form(request, "website"), *proof = request_form(request, "work");
    Limit all = altogether(request);
    bool quiet = all.most == 0 || limits_take(request->portal->limits, &all, "*", request->now, NULL);
    bool proven = proof && strlen(proof) <= 20 && csirt_proof_holds(nonce, proof, CSIRT_PROOF_BITS);
    return (trap && *trap) || (!quiet && !proven);
}

/* ---- The entrance ------------------------------------------------------------------------------------------- */
RESOURCE(page_declare) {
    if (!declare_ready(request, error))
        return NULL;
    if (strcmp(request->path, "/declarer") == 0)
        request->go = g_strdup("/declare");
    return json_object();
}

DRESS(dress_declare) {
    (void)error;
    declare_add_team(request, view);
    json_object_set_new(view, "title", json_string(vigie_word(request->lang, "declare.title")));
    return true;
}

/* ---- The form ----------------------------------------------------------------------------------------------- */
static const json_t *find_form(const Request *request, const char *id, GError **error) {
    const json_t *form = id ? csirt_declaration_form(request->portal->declarations, id) : NULL;
    if (!form)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                    "there is no such form: those are incident, report and question");
    return form;
}

/* The files of the draft that the form carries on with, but for those that the reader took away, beside those that came now. */
static bool take_kept(Request *request, GError **error) {
    const char *code = request_form(request, "draft");
    if (!code || !*code || !declare_takes_files(request))
        return true;
    g_autoptr(GError) failure = NULL;
    g_autoptr(GPtrArray) kept = csirt_draft_files(request->store, code, request->now, &failure);
    if (!kept && !g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    for (guint i = 0; kept && i < kept->len; i++) {
        VigieDraftFile *file = g_ptr_array_index(kept, i);
        g_autofree char *drop = g_strdup_printf("drop.%u", i);
        if (request_form(request, drop))
            g_hash_table_insert(request->form, g_strdup("dropped"), g_strdup("yes"));
        else
            multipart_upload_add(&request->uploads, file->name, file->content);
    }
    return true;
}

/* `asked`: with what was typed. Else that stays on the page alone: who then reports without a name has left none here. */
static bool put_aside(Request *request, const char *form, bool asked, int64_t seconds, char **ret_code,
                      GError **error) {
    const char *code = request_form(request, "draft"), *nonce = request_form(request, "nonce");
    g_autoptr(json_t) values = asked ? declare_typed(request, find_form(request, form, NULL)) : json_object();
    size_t count = 0;
    g_autofree VigieDeclarationFile *files = declare_files(request, &count);
    if (asked && nonce)
        json_object_set_new(values, "nonce", json_string(nonce));
    g_autoptr(json_t) kept = json_pack("{s:s, s:O}", "form", form, "values", values);
    const VigieDraft draft = {kept, files, count, request->now + seconds, !asked};
    return csirt_draft_save(request->store, code && *code ? code : NULL, &draft, request->now, ret_code,
                            error);
}

/* A browser gives files once. Where the form comes back, they wait in a draft whose code the form holds. */
static bool keep_files(Request *request, const char *form) {
    size_t count = 0;
    int64_t wait = 0;
    g_autofree VigieDeclarationFile *files = declare_files(request, &count);
    g_autofree char *code = NULL;
    g_autoptr(GError) failure = NULL;
    if (count == 0 && !request_form(request, "dropped"))
        return true;
    if (!declare_allowed(request, &declare_limit_draft, &wait))
        return false;
    if (!put_aside(request, form, false, CSIRT_DRAFT_HOURS * 3600, &code, &failure)) {
        g_printerr("portal: the files of a form could not be kept: %s\n", failure->message);
        return false;
    }
    g_hash_table_insert(request->form, g_strdup("draft"), g_strdup(code));
    return true;
}

static json_t *form_resource(Request *request, const char *form, json_t *problems, const char *note) {
    const char *nonce = request_form(request, "nonce"), *draft = request_form(request, "draft");
    g_autofree char *fresh = nonce && strlen(nonce) >= CSIRT_NONCE_MIN ? NULL : account_secret_new();
    g_free(request->here);
    request->here = g_strconcat("/declare/", form, NULL);
    return json_pack("{s:s, s:o, s:s, s:s, s:s?, s:i}", "form", form, "problems",
                     problems ? problems : json_array(), "nonce", fresh ? fresh : nonce, "draft",
                     draft ? draft : "", "note", note, "proof_bits",
                     under_attack(request) ? CSIRT_PROOF_BITS : 0);
}

RESOURCE(page_declare_form) {
    const char *id = request->path + strlen("/declare/");
    if (!declare_ready(request, error) || !find_form(request, id, error))
        return NULL;
    /* Not no-store: a browser that goes back finds the form as it was, with its nonce, and sends the same declaration. */
    request_header(request, "Cache-Control", "private, no-cache");
    return form_resource(request, id, NULL, NULL);
}

static char *wait_text(const Request *request, const char *key, int64_t wait) {
    g_autofree char *span = vigie_duration_text(request->lang, wait);
    return vigie_words(request->lang, key, "span", span, NULL);
}

/* The form, what was attached kept. */
static json_t *form_again(Request *request, const char *form, json_t *problems, const char *note) {
    bool kept = keep_files(request, form);
    json_t *resource = form_resource(request, form, problems, note);
    json_object_set_new(resource, "files_again", json_boolean(!kept));
    return resource;
}

static json_t *refused_for_now(Request *request, const char *form, int64_t wait) {
    g_autofree char *seconds = g_strdup_printf("%" G_GINT64_FORMAT, wait);
    g_autofree char *note = wait_text(request, "declare.wait", wait);
    request->status = 429;
    request_header(request, "Retry-After", seconds);
    return form_again(request, form, NULL, note);
}

/* ---- Sending ------------------------------------------------------------------------------------------------ */
typedef struct {
    const VigieDeclarations *declarations;
    VigieDeclaration declaration;
    const char *draft;
    VigieTime now;
    json_t *acknowledged;
} Sending;

/* In the transaction that this and its neighbours share. */
static bool write_declaration(VigieStore *store, void *data, GError **error) {
    Sending *sending = data;
    sending->acknowledged =
        csirt_declaration_accept(sending->declarations, store, &sending->declaration, sending->now, error);
    return sending->acknowledged && (!sending->draft || csirt_draft_remove(store, sending->draft, error));
}

/* What cannot be kept is not lost: it stays on the page, and the reader is told what to do. */
static json_t *unsaved(Request *request, const char *form, const GError *failure) {
    g_printerr("portal: a declaration could not be saved: %s\n", failure->message);
    request->status = 503;
    request_header(request, "Retry-After", "60");
    return form_again(request, form, NULL, vigie_word(request->lang, "declare.unsaved"));
}

static json_t *send(Request *request, const char *form, const char *nonce, const json_t *opening) {
    const char *draft = request_form(request, "draft");
    size_t count = 0;
    g_autofree VigieDeclarationFile *files = declare_files(request, &count);
    Sending sending = {.declarations = request->portal->declarations,
                       .declaration = {.channel = request->api ? "api" : "form",
                                       .nonce = nonce,
                                       .lang = request->lang,
                                       .unproven = is_unproven(request, nonce),
                                       .opening = opening,
                                       .files = files,
                                       .file_count = count},
                       .draft = draft && *draft ? draft : NULL,
                       .now = request->now};
    g_autoptr(GError) failure = NULL;
    g_autoptr(json_t) clocks =
        csirt_declaration_clocks(request->portal->declarations, opening, request->now, &failure);
    sending.declaration.clocks = clocks;
    if (!clocks ||
        !store_group_write(request->portal->group, request->store, write_declaration, &sending, &failure)) {
        g_clear_pointer(&sending.acknowledged, json_decref);
        return unsaved(request, form, failure);
    }
    request->status = request->api ? 201 : 200;
    request->here = g_strdup("/declare");
    return sending.acknowledged;
}

static json_t *save_draft(Request *request, const char *id) {
    g_autofree char *given = NULL;
    g_autoptr(GError) failure = NULL;
    int64_t wait = 0, seconds = CSIRT_DRAFT_DAYS * INT64_C(86400);
    if (!declare_allowed(request, &declare_limit_draft, &wait))
        return refused_for_now(request, id, wait);
    if (!put_aside(request, id, true, seconds, &given, &failure)) {
        g_printerr("portal: a draft could not be kept: %s\n", failure->message);
        request->status = 503;
        return form_resource(request, id, NULL, vigie_word(request->lang, "declare.no-draft"));
    }
    g_autofree char *ends = vigie_time_rfc3339(request->now + seconds);
    g_hash_table_insert(request->form, g_strdup("draft"), g_strdup(given));
    json_t *resource = form_resource(request, id, NULL, NULL);
    json_object_set_new(resource, "kept", json_pack("{s:s, s:s}", "code", given, "ends", ends));
    return resource;
}

RESOURCE(page_declaration) {
    const char *id = request_form(request, "form"), *action = request_form(request, "do");
    const char *given = request_form(request, "nonce");
    int64_t wait = 0;
    const json_t *form =
        declare_ready(request, error) ? find_form(request, id ? id : "incident", error) : NULL;
    if (!form)
        return NULL;
    id = json_string_value(json_object_get(form, "id"));
    g_autofree char *nonce =
        given && strlen(given) >= CSIRT_NONCE_MIN ? g_strdup(given) : account_secret_new();
    if (!take_kept(request, error))
        return NULL;
    g_hash_table_insert(request->form, g_strdup("nonce"), g_strdup(nonce));
    if (!request->api && g_strcmp0(action, "draft") == 0)
        return save_draft(request, id);
    Limit limit = by_address(request);
    g_autoptr(json_t) opening = NULL;
    g_autoptr(json_t) problems =
        csirt_declaration_check(request->portal->declarations, id, request->form, request->now, &opening);
    if (json_array_size(problems) > 0) {
        request->status = 400;
        return form_again(request, id, g_steal_pointer(&problems), NULL);
    }
    g_autofree char *text =
        declare_text_with_files(request, json_string_value(json_object_get(opening, "text")));
    json_object_set_new(opening, "text", json_string(text));
    if (limit.most > 0 && !declare_allowed(request, &limit, &wait))
        return refused_for_now(request, id, wait);
    return send(request, id, nonce, opening);
}

/* ---- Drafts ------------------------------------------------------------------------------------------------- */
RESOURCE(page_draft_form) {
    return declare_ready(request, error) ? json_pack("{s:s}", "resume", "") : NULL;
}

/* The draft's values, as if they had just been typed. */
static void retype(Request *request, const json_t *values) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)values, name, value) {
        g_hash_table_insert(request->form, g_strdup(name), g_strdup(json_string_value(value)));
    }
}

RESOURCE(page_draft) {
    const char *code = request_form(request, "draft");
    int64_t wait = 0;
    if (!declare_ready(request, error))
        return NULL;
    request->here = g_strdup("/declare/draft");
    if (!declare_allowed(request, &declare_limit_check, &wait)) {
        g_autofree char *note = wait_text(request, "declare.wait.short", wait);
        request->status = 429;
        return json_pack("{s:s}", "resume", note);
    }
    g_autoptr(GError) failure = NULL;
    g_autoptr(json_t) draft = csirt_draft_open(request->store, code ? code : "", request->now, &failure);
    if (!draft && !g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    if (!draft) {
        request->status = 404;
        return json_pack("{s:s}", "resume", vigie_word(request->lang, "declare.resume.wrong"));
    }
    const char *id = json_string_value(json_object_get(draft, "form"));
    retype(request, json_object_get(draft, "values"));
    if (!take_kept(request, error))
        return NULL;
    return find_form(request, id, error) ? form_resource(request, id, NULL, NULL) : NULL;
}

/* ---- Dressing ----------------------------------------------------------------------------------------------- */
static void dress_form(const Request *request, json_t *view, const char *id) {
    const json_t *form = csirt_declaration_form(request->portal->declarations, id);
    const json_t *problems = json_object_get(view, "problems");
    g_autofree char *title = g_strconcat("declare.form.", id, NULL),
                    *intro = g_strconcat("declare.intro.", id, NULL);
    g_autofree char *days = g_strdup_printf("%d", CSIRT_DRAFT_DAYS);
    json_object_set_new(view, "title", json_string(vigie_word(request->lang, title)));
    json_object_set_new(view, "wrong_answers", json_boolean(json_array_size(problems) > 0));
    json_object_set_new(view, "filling",
                        json_pack("{s:s, s:o, s:o, s:s, s:b}", "intro", vigie_word(request->lang, intro),
                                  "blocks", declare_blocks(request, form, problems), "wrongs",
                                  declare_problems(request, form, problems), "days", days, "files",
                                  declare_takes_files(request)));
    declare_add_files(request, view);
}

/* ---- The acknowledgement ---- */
static json_t *clock_view(const Request *request, const json_t *clock) {
    json_t *view = json_copy((json_t *)clock);
    json_object_set_new(view, "text",
                        json_string(vigie_text_in(request->lang, json_object_get(clock, "text"))));
    json_object_set_new(view, "delay",
                        json_string(vigie_text_in(request->lang, json_object_get(clock, "delay"))));
    json_object_set_new(view, "law",
                        json_string(vigie_text_in(request->lang, json_object_get(clock, "law"))));
    return view;
}

static void dress_clocks(const Request *request, json_t *view) {
    const json_t *clocks = json_object_get(view, "clocks");
    json_t *legal = json_array();
    for (size_t i = 0; i < json_array_size(clocks); i++) {
        const json_t *clock = json_array_get(clocks, i);
        bool ours = g_strcmp0(json_string_value(json_object_get(clock, "owner")), "csirt") == 0;
        const char *stops = json_string_value(json_object_get(clock, "stops_by"));
        const char *due = json_string_value(json_object_get(clock, "due_full"));
        if (!ours)
            json_array_append_new(legal, clock_view(request, clock));
        else if (g_strcmp0(stops, "answered") == 0 && due && !json_object_get(view, "answer")) {
            char *answer = vigie_words(request->lang, "declare.done.next.answer", "time", due, NULL);
            json_object_set_new(view, "answer", json_string(answer));
            g_free(answer);
        }
    }
    json_object_set_new(view, "has_legal", json_boolean(json_array_size(legal) > 0));
    json_object_set_new(view, "legal", legal);
}

static void dress_done(const Request *request, json_t *view) {
    const char *kind = json_string_value(json_object_get(view, "kind"));
    bool incident = strcmp(kind, "incident") == 0, question = strcmp(kind, "request") == 0;
    dress_clocks(request, view);
    json_object_set_new(view, "title",
                        json_string(vigie_word(request->lang, incident   ? "declare.done.title"
                                                              : question ? "declare.done.question"
                                                                         : "declare.done.report")));
    json_object_set_new(view, "incident", json_boolean(incident));
    json_object_set_new(view, "about_others", json_boolean(!incident && !question));
    json_object_set_new(view, "done", json_true());
}

DRESS(dress_declaration) {
    (void)error;
    const char *form = json_string_value(json_object_get(view, "form"));
    json_t *kept = json_object_get(view, "kept");
    declare_add_team(request, view);
    if (kept) {
        char *what = vigie_words(request->lang, "declare.draft.what", "time",
                                 json_string_value(json_object_get(kept, "ends_full")), NULL);
        json_object_set_new(kept, "what", json_string(what));
        g_free(what);
    }
    if (form) {
        dress_form(request, view, form);
    } else if (json_object_get(view, "resume")) {
        json_object_set_new(view, "resuming", json_true());
        json_object_set_new(view, "title", json_string(vigie_word(request->lang, "declare.resume.title")));
    } else {
        dress_done(request, view);
    }
    return true;
}
