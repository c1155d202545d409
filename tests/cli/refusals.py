"""What the workbench refuses is said in the reader's language: what, where, what to do; on stderr, with status 2."""
import os
import pathlib
import re
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
    "ca init /nope --config vigie.conf": ("hiérarchie /nope : il n’y a pas de fichier", "hierarchy /nope: No such file"),
    "ca init p521.conf --config vigie.conf": ("[authority racine] key : P-256, P-384", "[authority racine] key: P-256, P-384"),
    "ca init vingt.conf --config vigie.conf": ("« vingt » : un nombre entier de 1 à 40", '"vingt": a whole number from 1 to 40'),
    "ca init a.crt --config vigie.conf": ("ni CLÉ = VALEUR", "not a key-value pair"),
    "ca init bare.conf --config vigie.conf": ("permitted : chu.example : il faut dns:", "permitted: chu.example: dns:"),
    "ca init new.conf --passphrase-file /nope --config vigie.conf": ("fichier du mot de passe /nope : il n’y a pas", "password file /nope"),
    "ca issue --profile device --csr a.csr --accept-names --passphrase-file wrong --config vigie.conf": ("cette phrase de passe ne l’ouvre pas", "the passphrase does not open it"),
    "ca issue --profile nope --csr a.csr --accept-names --config vigie.conf": ("aucune autorité n’émet ce profil", "no authority issues this profile"),
    "ca issue --profile device --csr /nope --accept-names --passphrase-file pass --config vigie.conf": ("« /nope » ne s’ouvre pas : il n’y a pas", "“/nope”: No such file"),
    "ca revoke zz --reason superseded --config vigie.conf": ("chiffres hexadécimaux", "hexadecimal"),
    "ca revoke 0123 --reason foo --config vigie.conf": ("motif foo : au choix", "reason foo: one of"),
    "ca certificate 0123 --config vigie.conf": ("aucune autorité d’ici n’a émis", "no authority here issued"),
    "ca publish /proc/nope --config vigie.conf": ("dossier /proc/nope : ", "folder /proc/nope: "),
    "ca directory --config vigie.conf": ("pki.directory est vide", "pki.directory is empty"),
    "ca reissue racine --out folder --config vigie.conf": ("rien ne remplace encore cette autorité", "nothing succeeds this authority yet"),
    "ca destroy racine --config vigie.conf": ("autorité racine : sa clé sert encore", "authority racine: its key is still wanted"),
    "ca foo --config vigie.conf": ("foo n’est pas une commande de vigie ca", "foo is no command of vigie ca"),
    "request add --csr a.csr --config vigie.conf": ("il faut --profile", "--profile is wanted"),
    "request add --profile device --csr a.csr --config vigie.conf": ("profil device : il faut un nom", "profile device: a name is wanted"),
    "request add --profile device --csr cut --config vigie.conf": ("ce n’est pas une demande PKCS#10, en PEM ou DER (X.690", "this is no PKCS#10 request, PEM or DER (X.690"),
    "request list --state foo --config vigie.conf": ("--state vaut", "--state requested"),
    "request refuse 1 --config vigie.conf": ("il faut --reason", "--reason is wanted"),
    "request enrol --profile device --name nope --config vigie.conf": ("inscription : nope : il faut dns:", "enrolment: nope: dns:"),
    "request end 4 --config vigie.conf": ("inscription : il n’y en a pas de ce numéro", "enrolment: there is none of this number"),
    "audit-log verify --checkpoint a.crt --config vigie.conf": ("ce n’est pas un point de contrôle", "this is no checkpoint"),
    "audit-log resume --reason x --config vigie.conf": ("il n’y a rien à reprendre", "nothing is to be resumed"),
    "audit-log resume --config vigie.conf": ("il faut verify, checkpoint ou resume", "verify, checkpoint or resume"),
    "reseal --config /nope": ("/nope : il n’y a pas de fichier", "/nope: No such file"),
    "identify .": ("c’est un dossier", "Is a directory"),
    "verify a.crt --at yesterday": ("« yesterday » n’est pas une date", "is not a time"),
    "verify a.crt --ca /nope": ("racines : « /nope » ne s’ouvre pas", "roots: Failed to open"),
    "convert a.crt --to pem --out /nope/x": ("/nope/x : il n’y a pas", "/nope/x: No such file"),
}

ENGLISH = re.compile(r"\b(the|is|are|was|wanted|not|no|of|with|which)\b")
CA = """[hierarchy]
key_folder = keys
[authority racine]
title = AC Racine
subject = CN=AC Racine
key = P-256
years = 20
[authority equipements]
issuer = racine
title = AC Équipements
subject = CN=AC Équipements
key = P-256
years = 10
profiles = device
permitted = dns:chu.example
"""
# command line: what is said of the request that it did not issue
NOT_ISSUED = {
    "--field couleur=rouge": ("le profil n’a pas de champ couleur", "the profile has no field couleur"),
    "--field organisation=CHU": ("dns:a.test : cette autorité n’a pas le droit", "dns:a.test: this authority may not name it"),
    "--field organisation=CHU --name dns:b.chu.example": ("cette autorité n’a pas le droit", "this authority may not name it"),
    "--authority racine": ("profil device : cette autorité n’émet pas ce profil", "profile device: this authority does not issue it"),
}


def prepare():
    def openssl(line):
        subprocess.run(["openssl", *line.split()], check=True, cwd=FOLDER, capture_output=True)
    openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout a.key -out a.crt -subj /CN=a -days 9")
    openssl("req -new -key a.key -subj /CN=a -out a.csr")
    openssl("genpkey -algorithm ED25519 -out b.key")
    openssl("req -new -key a.key -subj /CN=a -addext subjectAltName=DNS:a.test -out test.csr")
    for name, before, after in (("ca", "", ""), ("new", "equipements", "autres"), ("p521", "P-256", "P-521"), ("vingt", "20", "vingt"), ("bare", "dns:", "")):
        (FOLDER / f"{name}.conf").write_text(CA.replace(before, after, 1) if before else CA)
    (FOLDER / "pass").write_text("une phrase secrète de test")
    (FOLDER / "wrong").write_text("une autre phrase secrète")
    (FOLDER / "cut").write_bytes((FOLDER / "a.csr").read_bytes()[:30])
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
        assert lang == "en" or not ENGLISH.search(said), f"vigie {line}: English to a French reader: {said}"


def test_french():
    """a French reader is refused in French, in one line"""
    refused("fr", 0)


def test_not_issued():
    """what is not issued is told beside the file's name, in the reader's language, with status 1"""
    for lang, place in (("fr", 0), ("en", 1)):
        for options, words in NOT_ISSUED.items():
            done = vigie.run("ca", "issue", "--profile", "device", "--csr", str(FOLDER / "test.csr"), "--accept-names", "--passphrase-file",
                             str(FOLDER / "pass"), "--config", "vigie.conf", "--lang", lang, *options.split(), cwd=FOLDER)
            said = done.stderr.replace("\u00a0", " ").replace("\u202f", " ")
            assert done.returncode == 1 and words[place] in said and done.stdout == "", f"{options}: {done.returncode} {said}"


def test_english():
    """an English reader is refused in English, in one line"""
    refused("en", 1)


prepare()
vigie.run("ca", "init", "ca.conf", "--passphrase-file", "pass", "--config", "vigie.conf", cwd=FOLDER).check_returncode()
tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
