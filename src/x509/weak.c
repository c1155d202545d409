/* weak.c: which keys fall together, and RSA keys that are known to be broken (CA/B BR 6.1.1.3 and 6.1.6). Those of Debian's random numbers of 2006 to 2008 are not
 * among them: their list is no longer packaged. */
#include "x509/der.h"
#include "x509/x509.h"

#include <openssl/bn.h>
#include <openssl/sha.h>
#include <string.h>

enum { MODULUS_MAX = 2048, TRIAL_MAX = 752, ROUNDS = 100, ROCA_GENERATOR = 65537 };

typedef struct {
    VigieBytes type; /* OID */
    VigieBytes bits; /* what the BIT STRING holds */
} PublicKey;

static bool read_public_key(VigieBytes spki, PublicKey *ret_key) {
    const char *clause = NULL;
    DerElement whole, algorithm, type, bits;
    VigieReader in = vigie_reader(spki);
    if (!der_expect(&in, DER_SEQUENCE, &whole, &clause))
        return false;
    in = vigie_reader(whole.value);
    if (!der_expect(&in, DER_SEQUENCE, &algorithm, &clause) ||
        !der_expect(&in, DER_BIT_STRING, &bits, &clause) || bits.value.size < 2)
        return false;
    in = vigie_reader(algorithm.value);
    if (!der_expect(&in, DER_OID, &type, &clause))
        return false;
    *ret_key = (PublicKey){type.value, vigie_bytes(bits.value.data + 1, bits.value.size - 1)};
    return true;
}

/* The modulus and exponent of an RSA key, whichever padding it is for (RFC 4055 1.2); false for another. */
static bool read_numbers(const PublicKey *of, VigieBytes *ret_modulus, VigieBytes *ret_exponent) {
    static const uint8_t rsa[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01},
                         pss[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A};
    const char *clause = NULL;
    DerElement key, modulus, exponent;
    if (!vigie_bytes_equal(of->type, vigie_bytes(rsa, sizeof rsa)) &&
        !vigie_bytes_equal(of->type, vigie_bytes(pss, sizeof pss)))
        return false;
    VigieReader in = vigie_reader(of->bits);
    if (!der_expect(&in, DER_SEQUENCE, &key, &clause))
        return false;
    in = vigie_reader(key.value);
    if (!der_expect(&in, DER_INTEGER, &modulus, &clause) || !der_expect(&in, DER_INTEGER, &exponent, &clause))
        return false;
    *ret_modulus = der_magnitude(modulus.value);
    *ret_exponent = der_magnitude(exponent.value);
    return true;
}

/* Who has the primes has the key for every exponent; who has d has the key of -P, too, which has the same x (SEC 1 2.3.3). */
void x509_key_secret(VigieBytes spki, uint8_t ret_sha256[32]) {
    static const uint8_t curve[] = {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01};
    PublicKey key = {.bits = spki};
    VigieBytes what = spki, exponent;
    if (read_public_key(spki, &key)) {
        what = key.bits;
        if (vigie_bytes_equal(key.type, vigie_bytes(curve, sizeof curve)) && what.size > 1)
            what = vigie_bytes(what.data + 1, what.data[0] == 4 ? (what.size - 1) / 2 : what.size - 1);
        else
            read_numbers(&key, &what, &exponent);
    }
    SHA256(what.data, what.size, ret_sha256);
}

/* BR 6.1.6: odd, from 2^16 - 1 to 2^256. */
static bool bad_exponent(VigieBytes exponent) {
    bool small =
        exponent.size < 3 && !(exponent.size == 2 && exponent.data[0] == 0xFF && exponent.data[1] == 0xFF);
    return exponent.size == 0 || small || exponent.size > 32 || !(exponent.data[exponent.size - 1] & 1);
}

static bool has_small_factor(const BIGNUM *modulus) {
    bool found = !BN_is_odd(modulus);
    for (BN_ULONG odd = 3; !found && odd < TRIAL_MAX; odd += 2)
        found = BN_mod_word(modulus, odd) == 0;
    return found;
}

/* ---- ROCA ------------------------------------------------------------------------------------------------------
 * Chips of Infineon made primes k*M + (65537^a mod M), M the product of the first primes, and Coppersmith's method finds them
 * (Nemec et al., CCS 2017; CVE-2017-15361). So is their product a power of 65537 modulo each of these primes; one of 2^27 keys
 * made well is, too, of 1,984 bits and more one of 2^167. */
static bool is_prime(BN_ULONG number) {
    for (BN_ULONG factor = 3; factor * factor <= number; factor += 2)
        if (number % factor == 0)
            return false;
    return true;
}

static bool is_power(BN_ULONG rest, BN_ULONG prime) {
    BN_ULONG power = 1;
    do {
        if (power == rest)
            return true;
        power = power * ROCA_GENERATOR % prime;
    } while (power != 1);
    return false;
}

static bool is_roca(const BIGNUM *modulus) {
    BN_ULONG last = BN_num_bits(modulus) < 1984 ? 167 : 701;
    for (BN_ULONG prime = 3; prime <= last; prime += 2)
        if (is_prime(prime) && !is_power(BN_mod_word(modulus, prime), prime))
            return false;
    return true;
}

/* ---- Close primes ----------------------------------------------------------------------------------------------
 * Fermat: N = a*a - b*b. A hundred rounds, as BR 6.1.1.3 wants. */
/* Rounded down; NULL without memory. */
static BIGNUM *square_root(const BIGNUM *number, BN_CTX *context) {
    BIGNUM *root = BN_new(), *next = BN_new();
    bool well = root && next && BN_set_bit(root, (BN_num_bits(number) + 1) / 2);
    for (bool smaller = well; well && smaller;) { /* Newton, from above */
        well =
            BN_div(next, NULL, number, root, context) && BN_add(next, next, root) && BN_rshift1(next, next);
        smaller = well && BN_cmp(next, root) < 0;
        if (smaller)
            BN_swap(next, root);
    }
    BN_free(next);
    if (well)
        return root;
    BN_free(root);
    return NULL;
}

/* One number of 119 passes. */
static bool may_be_square(const BIGNUM *number) {
    static const BN_ULONG moduli[] = {64, 63, 65, 11};
    for (size_t i = 0; i < G_N_ELEMENTS(moduli); i++) {
        BN_ULONG rest = BN_mod_word(number, moduli[i]), root = 0;
        while (root < moduli[i] && root * root % moduli[i] != rest)
            root++;
        if (root == moduli[i])
            return false;
    }
    return true;
}

static bool is_square(const BIGNUM *number, BN_CTX *context) {
    BIGNUM *root = may_be_square(number) ? square_root(number, context) : NULL, *square = BN_new();
    bool same = root && square && BN_sqr(square, root, context) && BN_cmp(square, number) == 0;
    BN_free(root);
    BN_free(square);
    return same;
}

static bool has_close_primes(const BIGNUM *modulus) {
    BN_CTX *context = BN_CTX_new();
    BIGNUM *a = context ? square_root(modulus, context) : NULL, *rest = BN_new();
    bool well = a && rest && BN_sqr(rest, a, context) && BN_sub(rest, rest, modulus);
    bool found = well && BN_is_zero(rest);
    for (int i = 0; well && !found && i < ROUNDS; i++) { /* (a+1)^2 - N = a^2 - N + 2a + 1 */
        well = BN_add(rest, rest, a) && BN_add_word(a, 1) && BN_add(rest, rest, a);
        found = well && is_square(rest, context);
    }
    BN_free(a);
    BN_free(rest);
    BN_CTX_free(context);
    return found;
}

const char *x509_key_weakness(VigieBytes spki) {
    PublicKey key;
    VigieBytes modulus, exponent;
    if (!read_public_key(spki, &key) || !read_numbers(&key, &modulus, &exponent))
        return NULL;
    if (bad_exponent(exponent))
        return "exponent";
    BIGNUM *number = BN_bin2bn(modulus.data, (int)MIN(modulus.size, MODULUS_MAX), NULL);
    const char *weakness = !number                    ? NULL
                           : has_small_factor(number) ? "modulus"
                           : is_roca(number)          ? "ROCA"
                           : has_close_primes(number) ? "close primes"
                                                      : NULL;
    BN_free(number);
    return weakness;
}
