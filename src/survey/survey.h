/* survey: active observation. From targets to records of what was seen there.
 *
 * The engine drives many endpoints at once on one thread (net/'s reactor), each through a plan of probes that
 * depends on the depth; it speaks TLS with its own codec (tls/), and hands a VigieRecord to its caller for
 * every target, in the order in which they end. What could not be examined has an outcome that says why;
 * nothing is ever dropped.
 */
#pragma once

#include "record/record.h"

/* ---- Running
 * ------------------------------------------------------------------------------------------------*/
typedef struct {
    VigieDepth depth;
    unsigned parallel;        /* connections in flight, all endpoints together; default 500 */
    unsigned per_host;        /* to one address at once; default 4; a gentle target has 1 */
    double rate;              /* new connections a second, all together; 0: no limit */
    int timeout_ms;           /* for connecting, and again for each handshake; default 5000 */
    int gentle_pause_ms;      /* between two connections to a gentle target; default 500 */
    bool gentle;              /* all targets are gentle */
    const VigieRoots *roots;  /* to judge the chains by; NULL: trust is not judged */
    const VigieRules *rules;  /* NULL: no findings */
    VigieTime (*clock)(void); /* NULL: vigie_time_now */
} VigieSurveyOptions;

VigieSurveyOptions survey_options_default(void);

/* The next target, filled by the caller's source (the engine clears it); false: no more. */
typedef bool (*VigieTargetSource)(VigieTarget *ret_target, void *data);
/* A finished record; it is the engine's, and cleared after the call: steal what is to be kept. False: stop.
 */
typedef bool (*VigieRecordSink)(VigieRecord *record, void *data);

typedef struct {
    uint64_t targets, ended, connections;
    double seconds;
} VigieSurveyProgress;

/* Surveys every target of the source; returns when the last has ended, or early when the sink said stop or
 * `*stop` (may be NULL; set from a signal handler or another thread) became non-zero. Memory does not grow
 * with the number of targets. */
bool survey_run(const VigieSurveyOptions *options, VigieTargetSource source, void *source_data,
                VigieRecordSink sink, void *sink_data, const volatile int *stop,
                VigieSurveyProgress *ret_progress, GError **error);
