/* oid.c: one table. The dotted form stands beside each. */
#include "x509/oid.h"

#include "x509/x509.h"

static const Oid oids[] = {
    {OID_SIGNATURE,
     9,
     {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x02},
     "md2WithRSAEncryption",
     true,
     0}, /* 1.2.840.113549.1.1.2 */
    {OID_SIGNATURE,
     9,
     {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x03},
     "md4WithRSAEncryption",
     true,
     0}, /* 1.2.840.113549.1.1.3 */
    {OID_SIGNATURE,
     9,
     {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x04},
     "md5WithRSAEncryption",
     true,
     0}, /* 1.2.840.113549.1.1.4 */
    {OID_SIGNATURE,
     9,
     {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x05},
     "sha1WithRSAEncryption",
     true,
     0}, /* 1.2.840.113549.1.1.5 */
    {OID_SIGNATURE,
     9,
     {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A},
     "rsassaPss",
     false,
     0}, /* 1.2.840.113549.1.1.10 */
    {OID_SIGNATURE,
     9,
     {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B},
     "sha256WithRSAEncryption",
     false,
     0}, /* 1.2.840.113549.1.1.11 */
    {OID_SIGNATURE,
     9,
     {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0C},
     "sha384WithRSAEncryption",
     false,
     0}, /* 1.2.840.113549.1.1.12 */
    {OID_SIGNATURE,
     9,
     {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0D},
     "sha512WithRSAEncryption",
     false,
     0}, /* 1.2.840.113549.1.1.13 */
    {OID_SIGNATURE,
     9,
     {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0E},
     "sha224WithRSAEncryption",
     false,
     0}, /* 1.2.840.113549.1.1.14 */
    {OID_SIGNATURE,
     9,
     {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0F},
     "sha512-224WithRSAEncryption",
     false,
     0}, /* 1.2.840.113549.1.1.15 */
    {OID_SIGNATURE,
     9,
     {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x10},
     "sha512-256WithRSAEncryption",
     false,
     0},                                                                        /* 1.2.840.113549.1.1.16 */
    {OID_SIGNATURE, 5, {0x2B, 0x0E, 0x03, 0x02, 0x1D}, "sha1WithRSA", true, 0}, /* 1.3.14.3.2.29 */
    {OID_SIGNATURE, 5, {0x2B, 0x0E, 0x03, 0x02, 0x03}, "md5WithRSA", true, 0},  /* 1.3.14.3.2.3 */
    {OID_SIGNATURE,
     6,
     {0x2B, 0x24, 0x03, 0x03, 0x01, 0x02},
     "ripemd160WithRSA",
     true,
     0}, /* 1.3.36.3.3.1.2 */
    {OID_SIGNATURE,
     7,
     {0x2A, 0x86, 0x48, 0xCE, 0x38, 0x04, 0x03},
     "dsa-with-SHA1",
     true,
     0},                                                                            /* 1.2.840.10040.4.3 */
    {OID_SIGNATURE, 5, {0x2B, 0x0E, 0x03, 0x02, 0x1B}, "dsaWithSHA1-old", true, 0}, /* 1.3.14.3.2.27 */
    {OID_SIGNATURE,
     9,
     {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x01},
     "dsa-with-SHA224",
     false,
     0}, /* 2.16.840.1.101.3.4.3.1 */
    {OID_SIGNATURE,
     9,
     {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x02},
     "dsa-with-SHA256",
     false,
     0}, /* 2.16.840.1.101.3.4.3.2 */
    {OID_SIGNATURE,
     9,
     {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x03},
     "dsa-with-SHA384",
     false,
     0}, /* 2.16.840.1.101.3.4.3.3 */
    {OID_SIGNATURE,
     9,
     {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x04},
     "dsa-with-SHA512",
     false,
     0}, /* 2.16.840.1.101.3.4.3.4 */
    {OID_SIGNATURE,
     7,
     {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x01},
     "ecdsa-with-SHA1",
     true,
     0}, /* 1.2.840.10045.4.1 */
    {OID_SIGNATURE,
     8,
     {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x01},
     "ecdsa-with-SHA224",
     false,
     0}, /* 1.2.840.10045.4.3.1 */
    {OID_SIGNATURE,
     8,
     {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02},
     "ecdsa-with-SHA256",
     false,
     0}, /* 1.2.840.10045.4.3.2 */
    {OID_SIGNATURE,
     8,
     {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x03},
     "ecdsa-with-SHA384",
     false,
     0}, /* 1.2.840.10045.4.3.3 */
    {OID_SIGNATURE,
     8,
     {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x04},
     "ecdsa-with-SHA512",
     false,
     0}, /* 1.2.840.10045.4.3.4 */
    {OID_SIGNATURE,
     9,
     {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x09},
     "ecdsa-with-SHA3-224",
     false,
     0}, /* 2.16.840.1.101.3.4.3.9 */
    {OID_SIGNATURE,
     9,
     {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x0A},
     "ecdsa-with-SHA3-256",
     false,
     0}, /* 2.16.840.1.101.3.4.3.10 */
    {OID_SIGNATURE,
     9,
     {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x0B},
     "ecdsa-with-SHA3-384",
     false,
     0}, /* 2.16.840.1.101.3.4.3.11 */
    {OID_SIGNATURE,
     9,
     {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x0C},
     "ecdsa-with-SHA3-512",
     false,
     0}, /* 2.16.840.1.101.3.4.3.12 */
    {OID_SIGNATURE,
     9,
     {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x0D},
     "RSA-SHA3-224",
     false,
     0}, /* 2.16.840.1.101.3.4.3.13 */
    {OID_SIGNATURE,
     9,
     {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x0E},
     "RSA-SHA3-256",
     false,
     0}, /* 2.16.840.1.101.3.4.3.14 */
    {OID_SIGNATURE,
     9,
     {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x0F},
     "RSA-SHA3-384",
     false,
     0}, /* 2.16.840.1.101.3.4.3.15 */
    {OID_SIGNATURE,
     9,
     {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x10},
     "RSA-SHA3-512",
     false,
     0}, /* 2.16.840.1.101.3.4.3.16 */
    {OID_SIGNATURE,
     9,
     {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x11},
     "ML-DSA-44",
     false,
     0}, /* 2.16.840.1.101.3.4.3.17 */
    {OID_SIGNATURE,
     9,
     {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x12},
     "ML-DSA-65",
     false,
     0}, /* 2.16.840.1.101.3.4.3.18 */
    {OID_SIGNATURE,
     9,
     {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x13},
     "ML-DSA-87",
     false,
     0},                                                         /* 2.16.840.1.101.3.4.3.19 */
    {OID_SIGNATURE, 3, {0x2B, 0x65, 0x70}, "ED25519", false, 0}, /* 1.3.101.112 */
    {OID_SIGNATURE, 3, {0x2B, 0x65, 0x71}, "ED448", false, 0},   /* 1.3.101.113 */
    {OID_SIGNATURE,
     8,
     {0x2A, 0x81, 0x1C, 0xCF, 0x55, 0x01, 0x83, 0x75},
     "SM2-with-SM3",
     false,
     0}, /* 1.2.156.10197.1.501 */
    {OID_SIGNATURE,
     8,
     {0x2A, 0x85, 0x03, 0x07, 0x01, 0x01, 0x03, 0x02},
     "GOST-2012-256",
     false,
     0}, /* 1.2.643.7.1.1.3.2 */
    {OID_SIGNATURE,
     8,
     {0x2A, 0x85, 0x03, 0x07, 0x01, 0x01, 0x03, 0x03},
     "GOST-2012-512",
     false,
     0},                                                                            /* 1.2.643.7.1.1.3.3 */
    {OID_SIGNATURE, 6, {0x2A, 0x85, 0x03, 0x02, 0x02, 0x03}, "GOST-2001", true, 0}, /* 1.2.643.2.2.3 */
    {OID_CURVE,
     8,
     {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x01},
     "secp192r1",
     false,
     192}, /* 1.2.840.10045.3.1.1 */
    {OID_CURVE,
     8,
     {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07},
     "secp256r1",
     false,
     256},                                                                   /* 1.2.840.10045.3.1.7 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x01}, "sect163k1", false, 163}, /* 1.3.132.0.1 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x02}, "sect163r1", false, 163}, /* 1.3.132.0.2 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x06}, "secp112r1", false, 112}, /* 1.3.132.0.6 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x08}, "secp160r1", false, 160}, /* 1.3.132.0.8 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x09}, "secp160k1", false, 160}, /* 1.3.132.0.9 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x0A}, "secp256k1", false, 256}, /* 1.3.132.0.10 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x0F}, "sect163r2", false, 163}, /* 1.3.132.0.15 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x10}, "sect283k1", false, 283}, /* 1.3.132.0.16 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x11}, "sect283r1", false, 283}, /* 1.3.132.0.17 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x1A}, "sect233k1", false, 233}, /* 1.3.132.0.26 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x1B}, "sect233r1", false, 233}, /* 1.3.132.0.27 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x1C}, "secp128r1", false, 128}, /* 1.3.132.0.28 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x1E}, "secp160r2", false, 160}, /* 1.3.132.0.30 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x1F}, "secp192k1", false, 192}, /* 1.3.132.0.31 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x20}, "secp224k1", false, 224}, /* 1.3.132.0.32 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x21}, "secp224r1", false, 224}, /* 1.3.132.0.33 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x22}, "secp384r1", false, 384}, /* 1.3.132.0.34 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x23}, "secp521r1", false, 521}, /* 1.3.132.0.35 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x24}, "sect409k1", false, 409}, /* 1.3.132.0.36 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x25}, "sect409r1", false, 409}, /* 1.3.132.0.37 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x26}, "sect571k1", false, 571}, /* 1.3.132.0.38 */
    {OID_CURVE, 5, {0x2B, 0x81, 0x04, 0x00, 0x27}, "sect571r1", false, 571}, /* 1.3.132.0.39 */
    {OID_CURVE,
     9,
     {0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x01},
     "brainpoolP160r1",
     false,
     160}, /* 1.3.36.3.3.2.8.1.1.1 */
    {OID_CURVE,
     9,
     {0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x03},
     "brainpoolP192r1",
     false,
     192}, /* 1.3.36.3.3.2.8.1.1.3 */
    {OID_CURVE,
     9,
     {0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x05},
     "brainpoolP224r1",
     false,
     224}, /* 1.3.36.3.3.2.8.1.1.5 */
    {OID_CURVE,
     9,
     {0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07},
     "brainpoolP256r1",
     false,
     256}, /* 1.3.36.3.3.2.8.1.1.7 */
    {OID_CURVE,
     9,
     {0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x09},
     "brainpoolP320r1",
     false,
     320}, /* 1.3.36.3.3.2.8.1.1.9 */
    {OID_CURVE,
     9,
     {0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0B},
     "brainpoolP384r1",
     false,
     384}, /* 1.3.36.3.3.2.8.1.1.11 */
    {OID_CURVE,
     9,
     {0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0D},
     "brainpoolP512r1",
     false,
     512}, /* 1.3.36.3.3.2.8.1.1.13 */
    {OID_CURVE,
     8,
     {0x2A, 0x81, 0x1C, 0xCF, 0x55, 0x01, 0x82, 0x2D},
     "sm2p256v1",
     false,
     256},                                                                      /* 1.2.156.10197.1.301 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x03}, "CN", false, 0},                     /* 2.5.4.3 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x04}, "SN", false, 0},                     /* 2.5.4.4 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x05}, "serialNumber", false, 0},           /* 2.5.4.5 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x06}, "C", false, 0},                      /* 2.5.4.6 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x07}, "L", false, 0},                      /* 2.5.4.7 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x08}, "ST", false, 0},                     /* 2.5.4.8 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x09}, "STREET", false, 0},                 /* 2.5.4.9 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x0A}, "O", false, 0},                      /* 2.5.4.10 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x0B}, "OU", false, 0},                     /* 2.5.4.11 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x0C}, "title", false, 0},                  /* 2.5.4.12 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x0D}, "description", false, 0},            /* 2.5.4.13 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x0F}, "businessCategory", false, 0},       /* 2.5.4.15 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x11}, "postalCode", false, 0},             /* 2.5.4.17 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x2A}, "GN", false, 0},                     /* 2.5.4.42 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x2B}, "initials", false, 0},               /* 2.5.4.43 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x2C}, "generationQualifier", false, 0},    /* 2.5.4.44 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x2E}, "dnQualifier", false, 0},            /* 2.5.4.46 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x41}, "pseudonym", false, 0},              /* 2.5.4.65 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x61}, "organizationIdentifier", false, 0}, /* 2.5.4.97 */
    {OID_ATTRIBUTE, 3, {0x55, 0x04, 0x29}, "name", false, 0},                   /* 2.5.4.41 */
    {OID_ATTRIBUTE,
     10,
     {0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 0x01, 0x01},
     "UID",
     false,
     0}, /* 0.9.2342.19200300.100.1.1 */
    {OID_ATTRIBUTE,
     10,
     {0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 0x01, 0x19},
     "DC",
     false,
     0}, /* 0.9.2342.19200300.100.1.25 */
    {OID_ATTRIBUTE,
     9,
     {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x01},
     "emailAddress",
     false,
     0}, /* 1.2.840.113549.1.9.1 */
    {OID_ATTRIBUTE,
     9,
     {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x02},
     "unstructuredName",
     false,
     0}, /* 1.2.840.113549.1.9.2 */
    {OID_ATTRIBUTE,
     11,
     {0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x3C, 0x02, 0x01, 0x01},
     "jurisdictionL",
     false,
     0}, /* 1.3.6.1.4.1.311.60.2.1.1 */
    {OID_ATTRIBUTE,
     11,
     {0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x3C, 0x02, 0x01, 0x02},
     "jurisdictionST",
     false,
     0}, /* 1.3.6.1.4.1.311.60.2.1.2 */
    {OID_ATTRIBUTE,
     11,
     {0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x3C, 0x02, 0x01, 0x03},
     "jurisdictionC",
     false,
     0}, /* 1.3.6.1.4.1.311.60.2.1.3 */
    {OID_KEY,
     9,
     {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01},
     "rsaEncryption",
     false,
     VIGIE_KEY_RSA},                                                     /* 1.2.840.113549.1.1.1 */
    {OID_KEY, 4, {0x55, 0x08, 0x01, 0x01}, "rsa", false, VIGIE_KEY_RSA}, /* 2.5.8.1.1 */
    {OID_KEY,
     9,
     {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A},
     "rsassaPss",
     false,
     VIGIE_KEY_RSA_PSS}, /* 1.2.840.113549.1.1.10 */
    {OID_KEY,
     7,
     {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01},
     "id-ecPublicKey",
     false,
     VIGIE_KEY_EC},                                                        /* 1.2.840.10045.2.1 */
    {OID_KEY, 3, {0x2B, 0x65, 0x70}, "ED25519", false, VIGIE_KEY_ED25519}, /* 1.3.101.112 */
    {OID_KEY, 3, {0x2B, 0x65, 0x71}, "ED448", false, VIGIE_KEY_ED448},     /* 1.3.101.113 */
    {OID_KEY,
     7,
     {0x2A, 0x86, 0x48, 0xCE, 0x38, 0x04, 0x01},
     "dsaEncryption",
     false,
     VIGIE_KEY_DSA},                                                  /* 1.2.840.10040.4.1 */
    {OID_DIGEST, 5, {0x2B, 0x0E, 0x03, 0x02, 0x1A}, "sha1", true, 0}, /* 1.3.14.3.2.26 */
    {OID_DIGEST,
     8,
     {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x02, 0x05},
     "md5",
     true,
     0}, /* 1.2.840.113549.2.5 */
    {OID_DIGEST,
     9,
     {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01},
     "sha256",
     false,
     0}, /* 2.16.840.1.101.3.4.2.1 */
    {OID_DIGEST,
     9,
     {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02},
     "sha384",
     false,
     0}, /* 2.16.840.1.101.3.4.2.2 */
    {OID_DIGEST,
     9,
     {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03},
     "sha512",
     false,
     0}, /* 2.16.840.1.101.3.4.2.3 */
    {OID_DIGEST,
     9,
     {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x04},
     "sha224",
     false,
     0}, /* 2.16.840.1.101.3.4.2.4 */
    {OID_EXTENSION,
     3,
     {0x55, 0x1D, 0x11},
     "subjectAltName",
     false,
     EXTENSION_ALTERNATIVE_NAME}, /* 2.5.29.17 */
    {OID_EXTENSION,
     3,
     {0x55, 0x1D, 0x13},
     "basicConstraints",
     false,
     EXTENSION_BASIC_CONSTRAINTS},                                                    /* 2.5.29.19 */
    {OID_EXTENSION, 3, {0x55, 0x1D, 0x25}, "extKeyUsage", false, EXTENSION_PURPOSES}, /* 2.5.29.37 */
    {OID_PURPOSE,
     8,
     {0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01},
     "serverAuth",
     false,
     1},                                                                         /* 1.3.6.1.5.5.7.3.1 */
    {OID_PURPOSE, 4, {0x55, 0x1D, 0x25, 0x00}, "anyExtendedKeyUsage", false, 1}, /* 2.5.29.37.0 */
};

const Oid *oid_find(OidKind kind, VigieBytes oid) {
    for (size_t i = 0; i < sizeof oids / sizeof *oids; i++)
        if (oids[i].kind == kind && oids[i].size == oid.size && memcmp(oids[i].der, oid.data, oid.size) == 0)
            return &oids[i];
    return NULL;
}
