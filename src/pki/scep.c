/* scep: the Simple Certificate Enrolment Protocol (RFC 8894), for devices that know nothing younger. What a device sends is
 * encrypted to the registrar and signed by itself; what it gets is signed by the registrar and encrypted to the device.
 * Here are the messages; scep-ask.c does what they ask. */
#include "pki/scep.h"
#include "pki/enrol.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <string.h>

enum { TRANSACTION_MAX = 128 };
typedef enum { STATUS_SUCCESS = 0, STATUS_FAILURE = 2, STATUS_PENDING = 3 } Status;
typedef enum { BAD_ALGORITHM, BAD_MESSAGE_CHECK, BAD_REQUEST, BAD_TIME, BAD_CERTIFICATE_ID } Failure;

/* RFC 8894 3.2.1: the attributes of a message, below VeriSign's arc. */
#define ARC "2.16.840.1.113733.1.9."
#define MESSAGE_TYPE ARC "2"
#define PKI_STATUS ARC "3"
#define FAIL_INFO ARC "4"
#define SENDER_NONCE ARC "5"
#define RECIPIENT_NONCE ARC "6"
#define TRANSACTION ARC "7"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CMS_ContentInfo, CMS_ContentInfo_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIO, BIO_free_all)

void scep_message_clear(ScepMessage *message) {
    g_free(message->transaction);
    X509_free(message->signer);
    if (message->content) {
        if (message->content->len > 0)
            explicit_bzero(message->content->data, message->content->len);
        g_byte_array_unref(message->content);
    }
}
static bool refuse(GError **error, const char *why) {
    ERR_clear_error();
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s", why);
    return false;
}

/* ---- Reading -------------------------------------------------------------------------------------------------------- */
static const ASN1_STRING *attribute(const CMS_SignerInfo *signer, const char *oid, int type) {
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    ASN1_STRING *value = object ? CMS_signed_get0_data_by_OBJ(signer, object, -3, type) : NULL;
    ASN1_OBJECT_free(object);
    return value;
}

static bool read_attributes(const CMS_SignerInfo *signer, ScepMessage *message) {
    const ASN1_STRING *type = attribute(signer, MESSAGE_TYPE, V_ASN1_PRINTABLESTRING),
                      *transaction = attribute(signer, TRANSACTION, V_ASN1_PRINTABLESTRING),
                      *nonce = attribute(signer, SENDER_NONCE, V_ASN1_OCTET_STRING);
    int size = transaction ? ASN1_STRING_length(transaction) : 0;
    if (!type || !nonce || size < 1 || size > TRANSACTION_MAX || ASN1_STRING_length(nonce) > SCEP_NONCE)
        return false;
    g_autofree char *number =
        g_strndup((const char *)ASN1_STRING_get0_data(type), (gsize)ASN1_STRING_length(type));
    message->type = (int)g_ascii_strtoll(number, NULL, 10);
    message->transaction = g_strndup((const char *)ASN1_STRING_get0_data(transaction), (gsize)size);
    for (const char *p = message->transaction; *p; p++)
        if (!g_ascii_isprint(*p))
            return false;
    message->nonce_size = (size_t)ASN1_STRING_length(nonce);
    memcpy(message->nonce, ASN1_STRING_get0_data(nonce), message->nonce_size);
    return strlen(message->transaction) == (size_t)size;
}

static GByteArray *drain(BIO *bio) {
    char *data = NULL;
    long size = BIO_get_mem_data(bio, &data);
    return g_byte_array_append(g_byte_array_new(), (const guint8 *)data, (guint)MAX(size, 0));
}

/* The outer layer: whoever signed has the key of the certificate beside it; whether that is worth something is seen later. */
GByteArray *scep_read_signed(VigieBytes der, ScepMessage *message, GError **error) {
    const unsigned char *at = der.data;
    g_autoptr(CMS_ContentInfo) cms = d2i_CMS_ContentInfo(NULL, &at, (long)der.size);
    g_autoptr(BIO) inner = BIO_new(BIO_s_mem());
    if (!cms || !inner || OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed ||
        CMS_verify(cms, NULL, NULL, NULL, inner, CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY) != 1) {
        refuse(error, "RFC 8894 3: SignedData whose signature holds is wanted");
        return NULL;
    }
    STACK_OF(CMS_SignerInfo) *signers = CMS_get0_SignerInfos(cms);
    STACK_OF(X509) *certificates = CMS_get0_signers(cms);
    bool well = sk_CMS_SignerInfo_num(signers) == 1 && sk_X509_num(certificates) == 1 &&
                read_attributes(sk_CMS_SignerInfo_value(signers, 0), message);
    if (well) {
        message->signer = sk_X509_value(certificates, 0);
        X509_up_ref(message->signer);
    }
    sk_X509_free(certificates);
    if (well)
        return drain(inner);
    refuse(error, "RFC 8894 3.2.1: one signer, with transactionID, messageType and senderNonce, is wanted");
    return NULL;
}

/* Whom the envelope names is in clear: that may be answered in words. */
static bool sealed_for(CMS_ContentInfo *cms, const VigieRegistrar *registrar) {
    bool enveloped = cms && OBJ_obj2nid(CMS_get0_type(cms)) == NID_pkcs7_enveloped;
    STACK_OF(CMS_RecipientInfo) *recipients = enveloped ? CMS_get0_RecipientInfos(cms) : NULL;
    CMS_RecipientInfo *only =
        sk_CMS_RecipientInfo_num(recipients) == 1 ? sk_CMS_RecipientInfo_value(recipients, 0) : NULL;
    return only && CMS_RecipientInfo_type(only) == CMS_RECIPINFO_TRANS &&
           CMS_RecipientInfo_ktri_cert_cmp(only, registrar->certificate) == 0;
}

/* Whether it decrypts is told to nobody: who sends a caught envelope again, changed, and hears which ones do reads what is in it, the
 * challenge, octet by octet (RSA's padding: RFC 3218; CBC's: Vaudenay, Eurocrypt 2002). What does not decrypt is an empty content,
 * refused as any other that is no request. Without the certificate, a wrong key is replaced by chance. */
static bool read_message(const VigieRegistrar *registrar, VigieBytes der, ScepMessage *message,
                         GError **error) {
    g_autoptr(GByteArray) inner = scep_read_signed(der, message, error);
    if (!inner)
        return false;
    const unsigned char *at = inner->data;
    g_autoptr(CMS_ContentInfo) cms = d2i_CMS_ContentInfo(NULL, &at, (long)inner->len);
    g_autoptr(BIO) out = BIO_new(BIO_s_mem());
    if (!out || !sealed_for(cms, registrar))
        return refuse(error,
                      "RFC 8894 3.2.2: EnvelopedData for this registrar is wanted: get its certificate "
                      "anew by GetCACert");
    bool decrypted = CMS_decrypt(cms, registrar->key, NULL, NULL, out, CMS_BINARY) == 1;
    message->content = decrypted ? drain(out) : g_byte_array_new();
    ERR_clear_error();
    return true;
}

/* ---- Answering --------------------------------------------------------------------------------------------------------- */
static bool add_text(CMS_SignerInfo *signer, const char *oid, const char *text) {
    return CMS_signed_add1_attr_by_txt(signer, oid, V_ASN1_PRINTABLESTRING, text, (int)strlen(text)) == 1;
}

static bool add_number(CMS_SignerInfo *signer, const char *oid, int number) {
    char text[12];
    g_snprintf(text, sizeof text, "%d", number);
    return add_text(signer, oid, text);
}

static bool add_attributes(CMS_SignerInfo *signer, const ScepMessage *message, Status status,
                           Failure failure) {
    uint8_t nonce[SCEP_NONCE];
    return RAND_bytes(nonce, sizeof nonce) == 1 && add_number(signer, MESSAGE_TYPE, SCEP_REPLY) &&
           add_number(signer, PKI_STATUS, (int)status) &&
           add_text(signer, TRANSACTION, message->transaction) &&
           (status != STATUS_FAILURE || add_number(signer, FAIL_INFO, (int)failure)) &&
           CMS_signed_add1_attr_by_txt(signer, SENDER_NONCE, V_ASN1_OCTET_STRING, nonce, sizeof nonce) == 1 &&
           CMS_signed_add1_attr_by_txt(signer, RECIPIENT_NONCE, V_ASN1_OCTET_STRING, message->nonce,
                                       (int)message->nonce_size) == 1;
}

/* The certificate and its chain, or the list, encrypted to who asked. */
static BIO *seal(const GByteArray *content, const ScepMessage *message) {
    g_autoptr(BIO) in = BIO_new_mem_buf(content->data, (int)content->len);
    STACK_OF(X509) *recipients = sk_X509_new_null();
    g_autoptr(CMS_ContentInfo) cms = NULL;
    BIO *out = BIO_new(BIO_s_mem());
    if (recipients && sk_X509_push(recipients, message->signer))
        cms = CMS_encrypt(recipients, in, EVP_aes_128_cbc(), CMS_BINARY);
    sk_X509_free(recipients);
    if (cms && i2d_CMS_bio(out, cms) == 1)
        return out;
    BIO_free_all(out);
    return NULL;
}

static GByteArray *reply(const VigieRegistrar *registrar, const ScepMessage *message, const GByteArray *told,
                         Status status, Failure failure, GError **error) {
    g_autoptr(BIO) content = told ? seal(told, message) : BIO_new(BIO_s_mem());
    g_autoptr(BIO) out = BIO_new(BIO_s_mem());
    unsigned flags = CMS_BINARY | CMS_PARTIAL | CMS_NOSMIMECAP;
    g_autoptr(CMS_ContentInfo) cms = content ? CMS_sign(NULL, NULL, NULL, content, flags) : NULL;
    CMS_SignerInfo *signer =
        cms ? CMS_add1_signer(cms, registrar->certificate, registrar->key, EVP_sha256(), flags) : NULL;
    if (signer && add_attributes(signer, message, status, failure) &&
        CMS_final(cms, content, NULL, CMS_BINARY) == 1 && i2d_CMS_bio(out, cms) == 1)
        return drain(out);
    ERR_clear_error();
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                "RFC 8894 3.5.2: an answer can be encrypted to an RSA key alone: sign with one");
    return NULL;
}

/* By what was asked, not by what was wrong with the content: a message of any type may carry a caught envelope, and a failure of its
 * own for what can be read is an oracle, too (read_message). A poll's content is not looked at. */
static Failure failure_of(const ScepMessage *asked, const GError *error) {
    bool about = asked->type == SCEP_GET_CERTIFICATE || asked->type == SCEP_GET_LIST,
         none = asked->type == SCEP_POLL && g_error_matches(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND);
    return about || none ? BAD_CERTIFICATE_ID : BAD_REQUEST;
}

static GByteArray *answer(const VigieRegistrar *registrar, VigieStore *store, const VigieProfiles *profiles,
                          const ScepMessage *asked, const char *address, VigieTime now, GError **error) {
    ScepOutcome outcome = {0};
    g_autoptr(GError) failure = NULL;
    if (!scep_ask(store, profiles, asked, address, now, &outcome, &failure)) {
        if (!g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE))
            return reply(registrar, asked, NULL, STATUS_FAILURE, failure_of(asked, failure), error);
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    g_autoptr(GByteArray) certificate = outcome.certificate, list = outcome.list;
    if (!certificate && !list)
        return reply(registrar, asked, NULL, STATUS_PENDING, 0, error);
    g_autoptr(GPtrArray) chain = certificate ? enrol_chain(store, registrar, certificate, now) : NULL;
    g_autoptr(GByteArray) told = enrol_signed_data(certificate, chain, list);
    return reply(registrar, asked, told, STATUS_SUCCESS, 0, error);
}

GByteArray *pki_scep_answer(const VigieRegistrar *registrar, VigieStore *store, const VigieProfiles *profiles,
                            VigieBytes message, const char *address, VigieTime now, GError **error) {
    g_auto(ScepMessage) asked = {0};
    if (message.size > SCEP_BYTES_MAX) {
        refuse(error, "SCEP: the message is longer than 64 KiB");
        return NULL;
    }
    return enrol_registrar_good(registrar, store, now, error) &&
                   read_message(registrar, message, &asked, error)
               ? answer(registrar, store, profiles, &asked, address, now, error)
               : NULL;
}

GByteArray *pki_scep_authorities(const VigieRegistrar *registrar, VigieStore *store, VigieTime now,
                                 GError **error) {
    g_autoptr(GPtrArray) chain =
        enrol_registrar_good(registrar, store, now, error) ? enrol_chain(store, registrar, NULL, now) : NULL;
    unsigned char *der = NULL;
    int size = chain ? i2d_X509(registrar->certificate, &der) : 0;
    g_autoptr(GByteArray) own = size > 0 ? g_byte_array_append(g_byte_array_new(), der, (guint)size) : NULL;
    OPENSSL_free(der);
    return own ? pki_certs_only(own, chain) : NULL;
}
