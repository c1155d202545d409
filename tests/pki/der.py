"""DER by hand, for messages that no honest client makes."""


def tlv(tag, *contents):
    content = b"".join(contents)
    size = len(content)
    octets = size.to_bytes((size.bit_length() + 7) // 8 or 1, "big")
    return bytes([tag]) + (bytes([size]) if size < 128 else bytes([0x80 | len(octets)]) + octets) + content


def parts(content):
    """The elements of a content, each whole and by its value."""
    while content:
        size, head = content[1], 2
        if size > 127:
            head += size & 127
            size = int.from_bytes(content[2:head], "big")
        yield content[:head + size], content[head:head + size]
        content = content[head + size:]


def value(whole):
    return next(parts(whole))[1]


def sequence(*contents):
    return tlv(0x30, *contents)


def integer(number):
    return tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def octets(data):
    return tlv(0x04, data)


def oid(dotted):
    numbers = [int(one) for one in dotted.split(".")]
    out = b""
    for number in [40 * numbers[0] + numbers[1], *numbers[2:]]:
        digits = [number & 127]
        while number > 127:
            number >>= 7
            digits.append(number & 127 | 128)
        out += bytes(reversed(digits))
    return tlv(0x06, out)


NULL = b"\x05\x00"
SHA256 = sequence(oid("2.16.840.1.101.3.4.2.1"), NULL)
RSA = sequence(oid("1.2.840.113549.1.1.1"), NULL)
EC_SHA256 = sequence(oid("1.2.840.10045.4.3.2"))


class Certificate:
    """Of a certificate, DER: its issuer and number as they are encoded, its key."""

    def __init__(self, der):
        self.der = der
        tbs, = [one for one, _ in list(parts(value(der)))[:1]]
        fields = [whole for whole, _ in parts(value(tbs))]
        self.number, self.issuer, self.subject, self.key = fields[1], fields[3], fields[5], fields[6]
