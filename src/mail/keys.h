/* OpenPGP keys, signatures and encryption by explicit fingerprint, never by a name; and containers for those without.
 *
 * All of it is done in children of the cell, with the keyring in mail.gnupg_home. Our secret keys lie there without
 * passphrase, guarded by the file system, as a server's are. Nothing is fetched from a network.
 *
 * A key:
 *     { "fingerprint": 40 or 64 upper-case hexadecimal digits, "algorithm": "rsa4096" "ed25519" …, "created",
 *       "expires": seconds or null, "users": [ "CSIRT <csirt@chu.test>" ], "secret": we hold its secret part,
 *       "encrypts": mail can be encrypted to it now, "signs": it is ours and can sign now,
 *       "health": "well" "soon" "broken", "problems": [ { "id", "days": for "expires-soon", else null } ] }
 * Problems: "expired" "revoked" "disabled" "invalid" "no-encryption" (no usable encryption subkey) make it broken;
 * "expires-soon", "weak-rsa" (under 2048 bits), "dsa", "elgamal", "sha1" (the newest self-signature rests on SHA-1 or
 * MD5) make it soon: it works, and its owner should be told. */
#pragma once

#include "mail/cell.h"

enum {
    MAIL_KEYS_MAX = 1 << 20,
    MAIL_FILE_MAX = 64 << 20
}; /* bytes of keys; of a file to be signed or sealed */

/* The keys in `bytes` (armored or binary), judged, not kept: an array of keys. `soon`: seconds. INVALID where there is
 * none in it. */
json_t *mail_keys_examine(VigieMailCell *cell, GBytes *bytes, int64_t soon, VigieTime now, GError **error);
/* The same, and the public parts go into the keyring. Secret parts are never imported. */
json_t *mail_keys_import(VigieMailCell *cell, GBytes *bytes, int64_t soon, VigieTime now, GError **error);
/* The keys of the keyring with these fingerprints (NULL: all). One that is not there is missing in the answer. */
json_t *mail_keys_list(VigieMailCell *cell, const char *const *fingerprints, int64_t soon, VigieTime now,
                       GError **error);
/* The public key, armored, to be published. NOT_FOUND. */
GBytes *mail_key_export(VigieMailCell *cell, const char *fingerprint, GError **error);
/* Whether `text` is a whole fingerprint; spaces are not. */
bool mail_fingerprint_valid(const char *text);

/* An armored signature beside `data`, by our key. */
GBytes *mail_sign(VigieMailCell *cell, GBytes *data, const char *fingerprint, GError **error);
/* `signature` NULL: `data` is signed in itself (clear-signed, as security.txt, or a signed message); ret_content (may be
 * NULL) then takes what the signatures cover, NULL where none does. An array of signatures as in mail/read.h. */
json_t *mail_verify(VigieMailCell *cell, GBytes *data, GBytes *signature, GBytes **ret_content,
                    GError **error);
/* An OpenPGP message for each of `to` (fingerprints, NULL-terminated), armored; signed as well where `sign_with` is not
 * NULL. NOT_FOUND, INVALID where a key is not held or cannot be encrypted to: nothing is made for some of them. */
GBytes *mail_encrypt(VigieMailCell *cell, GBytes *data, const char *sign_with, const char *const *to,
                     GError **error);

/* A file that goes with a message or into a container. */
typedef struct {
    const char *name; /* without folders */
    const char *type; /* "application/pdf"; NULL: application/octet-stream */
    GBytes *content;
} VigieMailFile;

/* ---- For partners without OpenPGP ----
 * A ZIP file encrypted with AES-256 (WinZip AE-2), which 7-Zip, Keka and the like open; names are not encrypted, so they
 * are made neutral by the caller where they tell something. `password` from mail_container_password. */
GBytes *mail_container_make(const VigieMailFile *files, size_t count, const char *password, VigieTime now,
                            GError **error);
/* 103 random bits as "7KQM-2XRA-…", without letters that sound or look alike, to be read aloud over the phone and
 * never written in a mail. Free with mail_secret_free. */
char *mail_container_password(GError **error);
/* Wiped, then freed. */
void mail_secret_free(char *secret);
