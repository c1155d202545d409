"""Certificates for the servers that tests start, made by the openssl command: an authority and what it issues."""
import pathlib
import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Identity:
    """A key, its certificate, and the chain to serve: paths of PEM files."""

    def __init__(self, folder, stem):
        self.key = str(folder / f"{stem}.key")
        self.certificate = str(folder / f"{stem}.crt")
        self.rest = str(folder / f"{stem}.rest")  # what follows the leaf: the intermediate
        self.chain = str(folder / f"{stem}.chain")  # the leaf and the rest
        self.both = str(folder / f"{stem}.pem")  # the key and the chain

    def sha256(self):
        """Of the leaf, lower-case hexadecimal."""
        done = subprocess.run(["openssl", "x509", "-in", self.certificate, "-noout", "-fingerprint", "-sha256"],
                              check=True, capture_output=True, text=True)
        return done.stdout.strip().partition("=")[2].replace(":", "").lower()


class Authority:
    """A root and an intermediate in a folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.root = Identity(self.folder, "root")
        self.intermediate = Identity(self.folder, "intermediate")
        self._make(self.root, "Racine d'essai", None, "basicConstraints=critical,CA:TRUE", "rsa:2048", "sha256")
        self._make(self.intermediate, "AC d'essai", self.root, "basicConstraints=critical,CA:TRUE,pathlen:0",
                   "rsa:2048", "sha256")

    def issue(self, name="localhost", key="rsa:2048", digest="sha256", others=("IP:127.0.0.1",)):
        """A server's certificate for DNS:name and `others`; `key` is "rsa:BITS" or "ec"."""
        made = Identity(self.folder, f"{name}-{key.replace(':', '')}-{digest}")
        names = ",".join([f"DNS:{name}", *others])
        self._make(made, name, self.intermediate, f"subjectAltName={names}", key, digest)
        rest = pathlib.Path(self.intermediate.certificate).read_text()
        pathlib.Path(made.rest).write_text(rest)
        chain = pathlib.Path(made.certificate).read_text() + rest
        pathlib.Path(made.chain).write_text(chain)
        pathlib.Path(made.both).write_text(pathlib.Path(made.key).read_text() + chain)
        pathlib.Path(made.both).chmod(0o600)
        return made

    @staticmethod
    def _make(identity, name, issuer, extension, key, digest):
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else ["-newkey", key]
        request = identity.certificate + ".csr"
        openssl("req", "-new", "-nodes", *kind, "-keyout", identity.key, "-out", request, "-subj", f"/CN={name}")
        extensions = pathlib.Path(identity.certificate + ".ext")
        extensions.write_text(extension + "\n")
        signer = ["-CA", issuer.certificate, "-CAkey", issuer.key] if issuer else ["-signkey", identity.key]
        openssl("x509", "-req", "-in", request, *signer, "-CAcreateserial", "-days", "200", f"-{digest}", "-extfile",
                str(extensions), "-out", identity.certificate)
