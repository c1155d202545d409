/* survey: active observation. From targets to records of what was seen there.
 *
 * The engine drives many endpoints at once on one thread (net/'s reactor), each through a plan of probes that
 * depends on the depth; it speaks TLS with its own codec (tls/), and hands a VigieRecord to its caller for
 * every target, in the order in which they end. What could not be examined has an outcome that says why;
 * nothing is ever dropped. */
#pragma once

#include "record/record.h"

/* ---- Targets --------------------------------------------------------------------------------------------
 * A target is written as a user would: host:port                     automate-02.chu.test:2762, 10.1.2.3:443,
 * [2001:db8::1]:443 host:port/protocol            mail.chu.test:587/smtp; without it, the port says the
 * protocol several ports                 10.1.2.3:443,8443/https,2762/dicom networks, IPv4 and IPv6
 * 10.0.0.0/24:443,2762/dicom   [2001:db8::/120]:443   (2^24 addresses at most) Names are in UTF-8 or
 * A-labels. Every address of a network is a target, port after port. In a file: one a line, "#" begins a
 * comment, UTF-8, 1,023 octets a line at most. */
typedef struct {
    const char *file; /* NULL: given as an argument */
    unsigned line;
    const char *text;    /* the target as written, cut and made printable */
    const char *problem; /* key of knowledge/words/survey.json, "refusal.target.no-port" …; static */
} VigieTargetComplaint;

/* Parses one single target (no network, one port). The error says what is wrong and how it should look. */
bool survey_target_parse(const char *text, VigieTarget *ret_target, GError **error);

/* A stream of targets from texts and files, in the order added; nothing is held but the line being read. What
 * cannot be read as a target is told to `complain` and counted, and the rest goes on. */
typedef struct VigieTargets VigieTargets;
VigieTargets *survey_targets_new(void (*complain)(const VigieTargetComplaint *complaint, void *data),
                                 void *data);
void survey_targets_free(VigieTargets *targets);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieTargets, survey_targets_free)
void survey_targets_add(VigieTargets *targets, const char *text);
/* "-" is stdin. Opened now, read when its turn comes. */
bool survey_targets_add_file(VigieTargets *targets, const char *path, GError **error);
/* A VigieTargetSource: `targets` is the VigieTargets. */
bool survey_targets_next(VigieTarget *ret_target, void *targets);
uint64_t survey_targets_bad(const VigieTargets *targets);
/* The share already read, 0 to 1; less than 0 where it cannot be told (a pipe). */
double survey_targets_share(const VigieTargets *targets);

/* ---- Running ------------------------------------------------------------------------------------------------ */
typedef struct {
    uint64_t targets, ended, connections;
    double seconds;
} VigieSurveyProgress;

typedef struct {
    VigieDepth depth;
    unsigned parallel;        /* endpoints under way at once, each with one connection; default 500 */
    unsigned per_host;        /* of them to one address; default 4; a gentle target has 1 */
    double rate;              /* new connections a second, all together; 0: no limit */
    int timeout_ms;           /* for connecting, and again for each handshake; default 5000 */
    int gentle_pause_ms;      /* between two connections to a gentle target; default 500 */
    bool gentle;              /* all targets are gentle */
    const VigieRoots *roots;  /* to judge the chains by; NULL: trust is not judged */
    const VigieRules *rules;  /* NULL: no findings */
    VigieTime (*clock)(void); /* NULL: vigie_time_now */
    void (*tick)(const VigieSurveyProgress *progress,
                 void *data); /* about five times a second; may be NULL */
    void *tick_data;
} VigieSurveyOptions;

VigieSurveyOptions survey_options_default(void);

/* The next target, filled by the caller's source (the engine clears it); false: no more. */
typedef bool (*VigieTargetSource)(VigieTarget *ret_target, void *data);
/* A finished record; it is the engine's, and cleared after the call: steal what is to be kept. False: stop. */
typedef bool (*VigieRecordSink)(VigieRecord *record, void *data);

/* Surveys every target of the source; returns when the last has ended, or early when the sink said stop or
 * `*stop` (may be NULL; set from a signal handler or another thread) became non-zero. Memory does not grow
 * with the number of targets. */
bool survey_run(const VigieSurveyOptions *options, VigieTargetSource source, void *source_data,
                VigieRecordSink sink, void *sink_data, const volatile int *stop,
                VigieSurveyProgress *ret_progress, GError **error);

/* ---- Resuming -------------------------------------------------------------------------------------------
 * A journal of the targets that have ended, one a line, only appended to: what an interrupted survey leaves
 * behind, and what its next run leaves out. A target is added once its record is safe with whoever keeps it,
 * so that a kill at any moment loses no record; the few records printed since the last survey_journal_sync()
 * come twice. */
typedef struct VigieJournal VigieJournal;
/* Opens, or begins, a journal. INVALID where it is not one, or one of another depth; BUSY where another run
 * has it. */
VigieJournal *survey_journal_open(const char *path, VigieDepth depth, GError **error);
void survey_journal_close(VigieJournal *journal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieJournal, survey_journal_close)
/* Ended in an earlier run? */
bool survey_journal_has(const VigieJournal *journal, const VigieTarget *target);
size_t survey_journal_count(const VigieJournal *journal); /* ended in earlier runs */
/* Kept in memory until the next survey_journal_sync(). */
void survey_journal_add(VigieJournal *journal, const VigieTarget *target);
/* Writes and fdatasyncs. UNAVAILABLE where the disk does not take it. */
bool survey_journal_sync(VigieJournal *journal, GError **error);
