"""What the workbench refuses is said in the reader's language: what, where, what to do; on stderr, with status 2."""
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import tap, vigie  # noqa: E402

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-refusals-"))
# command line: what it says in French, what in English
REFUSED = {
    "identify": ("quel fichier ?", "which file?"),
    "identify /nope": ("il n’y a pas de fichier de ce nom", "No such file"),
    "identify --bad": ("l’option --bad n’existe pas", "Unknown option --bad"),
    "identify huge": ("on ne sait pas s’il s’y trouve une clé", "whether a key is in it is not known"),
    "identify a.crt --password-file /nope": ("fichier du mot de passe /nope", "password file /nope"),
    "convert a.crt": ("il faut un fichier, --to", "FILE, --to"),
    "convert a.crt --to pem --out a.key": ("existe déjà et reste tel quel", "exists already"),
    "convert a.crt b.key --to pem --private-key --out x": ("n’est celle d’aucun", "belongs to none"),
    "convert a.key --to key --out x": ("demandez-la par --private-key", "say so with --private-key"),
    "convert a.key --to pem --out x": ("qu’une clé privée", "only a private key"),
    "convert a.csr --to pkcs12 --out x --out-password-file a.crt": ("aucun certificat", "no certificate"),
    "convert a.crt --to pem --private-key --out x": ("il n’y a pas de clé privée", "there is no private key"),
    "csr --name a": ("il faut --out et --key-out", "--out and --key-out"),
    "csr --name a..b --key-out k --out l": ("lettres, de chiffres et de tirets", "letters, digits and hyphens"),
    "csr --name a --key x --key-out k --out l": ("--key vaut p256", "--key is p256"),
    "csr check a.crt": ("ce n’est pas une demande", "this is not a certificate request"),
    "verify a.csr": ("aucun certificat", "no certificate"),
    "verify a.crt --ca a.csr": ("racines : ", "roots: "),
    "verify a.crt --ca a.crt --purpose x": ("l’usage est server", "the purpose is server"),
    "lint": ("il faut un fichier", "FILE is wanted"),
    "lint a.csr": ("ni certificat ni liste de révocation", "neither certificate nor"),
    "lint a.crt --waive x": ("ce contrôle n’existe pas", "there is no such check"),
    "ca show nope --config vigie.conf": ("il n’y a pas d’autorité nope", "there is no authority nope"),
    "request show 3 --config vigie.conf": ("il n’y a pas de demande 3", "there is no request 3"),
    "fleet renew X --config vigie.conf": ("équipement X", "device X"),
}


def prepare():
    def openssl(line):
        subprocess.run(["openssl", *line.split()], check=True, cwd=FOLDER, capture_output=True)
    openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout a.key -out a.crt -subj /CN=a -days 9")
    openssl("req -new -key a.key -subj /CN=a -out a.csr")
    openssl("genpkey -algorithm ED25519 -out b.key")
    (FOLDER / "vigie.conf").write_text("[store]\nurl = sqlite:vigie.db\n")
    with open(FOLDER / "huge", "wb") as huge:
        huge.truncate(17 << 20)


def refused(lang, place):
    for line, words in REFUSED.items():
        done = subprocess.run([vigie.PROGRAM, *line.split(), "--lang", lang], cwd=FOLDER, text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=60)
        said = done.stderr.replace("\u00a0", " ").replace("\u202f", " ")
        assert done.returncode == 2 and words[place] in said and done.stdout == "" and said.count("\n") == 1, \
            f"vigie {line}: {done.returncode} {done.stdout}{said}"


def test_french():
    """a French reader is refused in French, in one line"""
    refused("fr", 0)


def test_english():
    """an English reader is refused in English, in one line"""
    refused("en", 1)


prepare()
tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
