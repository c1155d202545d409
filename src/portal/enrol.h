/* enrol: enrolment protocols' face (pki/pki.h has the rest). */
#pragma once

#include "pki/pki.h"
#include "portal/request.h"

/* CMP and SCEP, with the registrar they answer by; NULL without an error where none is configured. */
bool enrol_server_open(const VigieConfig *config, const VigieSeal *seal, EnrolServer **ret_server,
                       GError **error);
void enrol_server_close(EnrolServer *server);
const VigieRegistrar *enrol_registrar(const EnrolServer *server);

/* The certificate that the client proved over TLS to hold the key of, DER, by the word of the proxy before us; NULL without an
 * error where it showed none. Free with g_byte_array_unref. */
GByteArray *enrol_client_certificate(const Request *request, GError **error);
/* Name and secret of the header field Authorization, scheme Basic (RFC 7617); false where there is none. Free both; wipe the
 * secret. */
bool enrol_basic(const Request *request, char **ret_name, char **ret_secret);
