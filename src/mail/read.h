/* Reading a message from a stranger: raw bytes in, a bounded description and the decoded parts out.
 *
 * What exceeds a limit is left in the raw bytes, which the caller keeps, and named in "problems"; nothing is refused.
 *
 * The description, every member always there, text always UTF-8 without control characters but LF and TAB:
 *     "readable"     false: the reader died on it or ran out of time; everything else is then empty
 *     "message_id"   "left@right" without brackets, or null
 *     "in_reply_to", "references": [ids]     References the last MAIL_READ_REFERENCES, nearest last
 *     "from", "sender", "reply_to", "to", "cc": [ { "name", "address" } ]   address "" where there is none to be read
 *     "date"         seconds, or null where it says none that can be read
 *     "subject"      the protected one where there is one; "outer_subject": as it travelled, where it differs, else null
 *     "language"     Content-Language, or null
 *     "automatic"    null, or { "kind", "why": "Auto-Submitted: auto-replied" }; kind is
 *                        "reply"      an autoresponder (RFC 3834 and what programs use instead)
 *                        "bounce"     a delivery report or a message from <> that says so; see "bounce"
 *                        "receipt"    a disposition notification (RFC 8098)
 *                        "generated"  made by a program, not in answer to anything: alarms, tickets of others
 *                        "bulk"       a list's or a newsletter's (List-Id, Precedence)
 *     "loop"         true: it bears our own X-Loop; answer nothing, ever
 *     "bounce"       null, or { "message_id": of what bounced or null, "recipients": [ { "address", "action": "failed"
 *                    "delayed" "delivered" "relayed" "expanded" or "", "status": "5.1.1" or "", "diagnostic" } ] }
 *     "text"         the body as plain text: text/plain where there is one, else made from HTML; "" where there is none
 *     "text_from"    "plain", "html" or "none"
 *     "attachments"  [ { "name": harmless as a file's name, never empty, "type": "image/png", "part": "1.2",
 *                        "offset", "size": in `content`, "sha256", "inline": shown within the text,
 *                        "message": true for message/rfc822, which is not looked into: mail_read it in its turn,
 *                        "encrypted": it came out of an encrypted layer } ]
 *     "encryption"   null, or { "kind": "pgp-mime" "pgp-inline" "smime", "decrypted": bool, "whole": the whole body was
 *                    encrypted, "keys": [ ids of the keys that can, as far as told ], "error": null or why not }
 *     "malleable"    true: it was opened, and who caught it on its way could have changed it without a key (S/MIME's CBC; EFAIL, USENIX
 *                    Security 2018). Of its protected fields subject and date alone are taken; whatever is done of itself goes by
 *                    the "outer_subject" where that is not null
 *     "signatures"   [ { "kind": "openpgp" "smime", "state", "fingerprint": of the key, or SHA-256 of the
 *                    certificate; of an unknown key what the signature claims, or "",
 *                        "signer": as its key says, "time": or null, "whole": it covers the whole body } ]; state is
 *                        "good"       made by a key we hold; whose key that is, is for the caller to know
 *                        "bad"        the content was changed
 *                        "unknown-key" "expired" (key or signature) "revoked"
 *                        "untrusted"  S/MIME: right, but its certificate leads to no root we trust
 *                        "error"      it could not be examined, or rests on SHA-1 or MD5
 *     "problems"     [ ids ] of: "too-large" "too-many-parts" "too-deep" "header-too-large" "text-cut" "too-many-addresses"
 *                    "charset" (bytes that are not of the charset named) "broken-mime" "broken-encoding"
 *                    "duplicate-header" "not-examined" (an encrypted layer beyond the third, or no keys configured)
 *     "size"         of the raw bytes */
#pragma once

#include "mail/cell.h"

enum {
    MAIL_READ_MAX = 64 << 20,     /* bytes; of a larger message the header and the beginning are read */
    MAIL_READ_PARTS = 1000,       /* what comes after is one attachment less, and a problem */
    MAIL_READ_DEPTH = 100,        /* multiparts in multiparts */
    MAIL_READ_HEADER = 256 << 10, /* bytes of one header section */
    MAIL_READ_TEXT = 1 << 20,     /* bytes of UTF-8 */
    MAIL_READ_ADDRESSES = 200,    /* in one field */
    MAIL_READ_REFERENCES = 100,
    MAIL_READ_LAYERS = 3, /* encryption in encryption */
};

typedef struct {
    json_t *about;
    GBytes *
        content; /* the attachments' bytes, decoded, one after another; zip files and the like are not opened */
} VigieMailRead;

void mail_read_free(VigieMailRead *read);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieMailRead, mail_read_free)

/* Reads it in children of `cell`. NULL with the error only where that is not to be had (cell dead, no memory): try again
 * later. `cell` NULL reads in this very process, decrypts and verifies nothing: for tools and tests alone. Our
 * own addresses, by which a loop is known, are mail.from's and the mailboxes' users where those are addresses. */
VigieMailRead *mail_read(VigieMailCell *cell, GBytes *raw, GError **error);
/* One attachment's bytes, a view that holds `content`. NULL where `attachment` is none of it. */
GBytes *mail_read_attachment(const VigieMailRead *read, const json_t *attachment);
