/* What the files that tell people share. */
#pragma once

#include "csirt/internal.h"
#include "csirt/lookup.h"
#include "csirt/notify.h"

/* ---- Contacts (contact.c, key.c) ---- */
/* What a case's contacts hang on. */
typedef struct {
    int64_t organisation;
    char *domain; /* of its last search; "" */
} Scope;
void scope_clear(Scope *scope);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Scope, scope_clear)
bool scope_load(VigieStore *store, int64_t case_id, Scope *ret_scope, GError **error);
/* Those that may be used, in the order in which they are to be tried; members as csirt_contacts_get has them. */
json_t *contacts_usable(VigieStore *store, const Scope *scope, GError **error);
/* The fleet's contacts of the organisation, as contacts. */
bool contacts_take_fleet(VigieStore *store, const Scope *scope, VigieTime now, GError **error);
/* It could not be delivered: the contact goes down. */
bool contact_bounced(VigieStore *store, int64_t contact, VigieTime now, GError **error);
json_t *keys_of(VigieStore *store, const char *domain, GError **error);
/* Imports what was fetched for a domain and judges it; what its owner should know becomes a task of the case. */
bool keys_keep(VigieStore *store, const VigieNotifier *notifier, int64_t case_id, const char *domain,
               const json_t *keys, VigieTime now, GError **error);
/* Judges again the keys not judged for a day. */
bool keys_check(VigieStore *store, const VigieNotifier *notifier, VigieTime now, GError **error);
/* The fingerprints to encrypt to on a rung: of a contact of the organisation security.txt's first, and its own; of a partner the one
 * that the team's file names. Empty where none can be. Free with g_strfreev. */
char **keys_for(VigieStore *store, const VigieNotifier *notifier, const Scope *scope, const json_t *rung,
                VigieTime now);

/* ---- Verification (verification.c) ---- */
json_t *verifications_of(VigieStore *store, int64_t case_id, GError **error);

/* ---- The ladder (ladder.c; knowledge/csirt/ladder.json) ---- */
const json_t *ladder_rules(GError **error);
/* Working days to wait after the try number `tried` (from 1) on a rung; 0: no more tries there. */
int ladder_wait(const char *rung, int64_t band, int64_t tried);
/* A member of ladder.json that holds days by band: "answer", "recheck". */
int ladder_days(const char *member, int64_t band);
/* [ { "rung", "contact": id or null, "value": or null, "tries": 0 } ] from the contacts in their order: two addresses at most, a call, a
 * private message. */
json_t *ladder_new(const json_t *contacts);

/* The ladder of these contacts (ids in their order), or of all that may be used where `ids` is NULL. */
json_t *contacts_ladder(VigieStore *store, int64_t case_id, const json_t *ids, VigieTime now, GError **error);

/* ---- A notice (notice.c) ---- */
typedef struct {
    int64_t id, case_id, party, step, band;
    char *reference, *kind, *state, *audience, *language, *subject, *body, *expected, *code, *case_kind,
        *source, *tlp, *pap, *organisation, *partner;
    json_t *ladder, *sees;
    VigieTime answer_by, sent, next, created;
    bool case_active;
} Notice;
void notice_clear(Notice *notice);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Notice, notice_clear)
/* As case_load. */
bool notice_load(VigieStore *store, const VigieAnalyst *who, int64_t id, Notice *ret_notice, GError **error);
/* A draft's row. */
bool notice_insert(VigieStore *store, const char *author, Notice *notice, VigieTime now, int64_t *ret_id,
                   GError **error);
/* Keeps state, step, ladder, next, sent. */
bool notice_write(VigieStore *store, const Notice *notice, GError **error);
/* Puts it where it cannot go on, for that reason: the key of words and their values (taken). */
bool notice_block(VigieStore *store, Notice *notice, const char *key, json_t *values, VigieTime now,
                  GError **error);
bool notice_job(VigieStore *store, int64_t id, VigieTime at, GError **error);
/* What of the case may not be in what is sent: who reported it. True: `text` names them. */
bool notice_names_source(VigieStore *store, const Notice *notice, const char *text, bool *ret_names,
                         GError **error);
/* Whether it may leave now, to whom it is for. ret_reason (may be NULL): the key of the words that say why not; free with g_free. */
bool notice_may_leave(VigieStore *store, const Notice *notice, const char *channel, bool encrypted,
                      VigieTime now, bool *ret_may, char **ret_reason, GError **error);

/* Tasks for the escalations that the rules propose and nobody decided on (part.c). */
bool escalations_watch(VigieStore *store, int64_t case_id, VigieTime now, GError **error);

/* ---- Its words (notice-text.c) ---- */
/* knowledge/mail/NAME.fr.mustache and .en: the first line is the subject. `language`: fr, en, or both. */
bool notice_render(const char *name, const char *language, json_t *(*view)(VigieLang lang, void *data),
                   void *data, char **ret_subject, char **ret_text, GError **error);
/* What every template may say: who we are, how to check it, the case's reference. New. */
json_t *notice_view(const VigieConfig *config, const VigieTeam *team, const Notice *notice, VigieLang lang);
