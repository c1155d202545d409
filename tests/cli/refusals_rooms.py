"""What the fleet, surveys, the desk, accounts, the doctor and `vigie serve` refuse is said in the reader's language, with what a
library said as a detail of it at most."""
import concurrent.futures
import os
import pathlib
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import tap, vigie  # noqa: E402

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-refusals-"))
TAKEN = socket.create_server(("127.0.0.1", 0))
CLOSED = socket.socket()
CLOSED.bind(("127.0.0.1", 0))  # bound, and nobody listens: a connection is refused
CONFIGURATIONS = {
    "good": "",
    "unknown": "[site]\nnom = CHU\n",
    "number": "[survey]\nparallel = beaucoup\n",
    "flag": "[trust]\nsystem = oui\n",
    "duration": "[portal]\nsession_idle = longtemps\n",
    "list": "[alarms]\ndays = 30;demain\n",
    "bounds": "[survey]\nparallel = 0\n",
    "hour": "[alarms]\nhour = 25\n",
    "zone": "[site]\ntime_zone = Europe/Kermarec\n",
    "language": "[site]\nlanguage = de\n",
    "line": "[site]\nname\n",
    "depth": "[survey]\ndepth = deep\n",
    "schedule": "[survey]\nschedule = 25:99\n",
    "lease": "[process]\nlease = 1 s\n",
    "roots": "[trust]\nroots = /nope.pem\n",
    "server": "[mail]\nserver = relais.chu.example\n",
    "clear": "[mail]\nserver = smtp://relais.chu.example\ntls = none\nuser = vigie\npassword_file = /nope\nfrom = v@chu.example\n",
    "mailbox": "[mailbox.incident]\nurl = imap.chu.example\n",
    "team": "[csirt]\nteam = /nope.json\n",
    "member": "[csirt]\nteam = team.json\n",
    "account": "[process]\nuser = nobody-here\n",
    "certificates": "[portal]\nclient_certificates = true\nlisten = 127.0.0.1:0\n",
    "listen": "[portal]\nlisten = partout\n",
    "taken": f"[portal]\nlisten = 127.0.0.1:{TAKEN.getsockname()[1]}\n",
    "relay": f"[mail]\nserver = smtp://127.0.0.1:{CLOSED.getsockname()[1]}\nfrom = v@chu.example\ntls = none\n",
    "kind": "[store]\nurl = mysql:vigie\n",
    "nowhere": "[store]\nurl = sqlite:/proc/nope/vigie.db\n",
    "noise": "[store]\nurl = sqlite:noise.db\n",
    "damaged": "[store]\nurl = sqlite:damaged.db\n",
    "newer": "[store]\nurl = sqlite:newer.db\n",
    "away": f"[store]\nurl = postgresql://vigie@127.0.0.1:{CLOSED.getsockname()[1]}/vigie\n",
}
# command line, "@NAME" a configuration: what it says in French, what in English
REFUSED = {
    "fleet nope @good": ("nope n’est pas une commande de vigie fleet", "nope is no command of vigie fleet"),
    "fleet show @good": ("comme dans : vigie fleet show", "as in: vigie fleet show"),
    "fleet show X @good": ("aucun équipement du parc ne s’appelle « X »", "no device of the fleet is called \"X\""),
    "fleet list --state x @good": ("« x » n’est pas possible ici", "\"x\" is not"),
    "fleet list --organisation X @good": ("aucun établissement de ce nom", "there is none of this name"),
    "fleet findings --severity x @good": ("info, low, medium, high ou critical", "info, low, medium, high or critical"),
    "fleet ack @good": ("comme dans : vigie fleet ack", "as in: vigie fleet ack"),
    "fleet ack x @good": ("n’est pas un numéro de constat", "is not a finding's number"),
    "fleet ack 99 @good": ("le constat 99 n’existe pas", "finding 99: there is none"),
    "fleet import @good": ("comme dans : vigie fleet import", "as in: vigie fleet import"),
    "fleet import /nope @good": ("« /nope » ne s’ouvre pas", "/nope"),
    "fleet import noise.db @good": ("le fichier n’est pas un CSV : il contient des octets nuls", "it holds zero bytes"),
    "fleet import head.csv --organisation A @good": ("n’a pas de colonne pour le nom de l’équipement", "names no column for the device's name"),
    "fleet import head.csv --mapping /nope @good": ("correspondance /nope : il n’y a pas de fichier de ce nom", "mapping /nope: No such file"),
    "fleet import head.csv --mapping good.conf @good": ("il manque le groupe [columns]", "does not have group"),
    "fleet add 127.0.0.1:443 @good": ("--organisation NOM est attendu", "--organisation NAME is wanted"),
    "fleet add pacs --organisation A --name P @good": ("il manque le port", "the port is missing"),
    "fleet survey --depth x @good": ("certificate, protocols ou full est attendu", "certificate, protocols or full is wanted"),
    "fleet export --output /nope/x @good": ("ne peut pas être créé : il n’y a pas de fichier de ce nom", "Failed to create file"),
    "fleet list --page zwei @good": ("un nombre entier est attendu", "Cannot parse integer value"),
    "fleet list @damaged": ("le fichier est abîmé", "the file is damaged"),
    "fleet list @noise": ("ce n’est pas une base SQLite", "not a SQLite database"),
    "fleet list @newer": ("est plus récent que celui de ce programme", "is newer than this program's"),
    "fleet list @away": ("le serveur ne répond pas", "the server does not answer"),
    "survey": ("cible", "target"),
    "survey 127.0.0.1:1 --depth x": ("au choix : certificate, protocols, full", "one of these is wanted: certificate"),
    "survey 127.0.0.1:1 --timeout x": ("n’est pas une durée", "is not a duration"),
    "survey 127.0.0.1:1 --timeout 1h": ("de 1 s à 5 min", "1 s to 5 min is wanted"),
    "survey 127.0.0.1:1 --rate -3": ("un nombre, 1000000000 au plus", "a number up to 1000000000 is wanted"),
    "survey --targets /nope": ("cibles /nope : il n’y a pas de fichier", "targets /nope: No such file"),
    "survey --targets /": ("c’est un dossier", "is a folder"),
    "survey 127.0.0.1:1 --resume good.conf": ("ce n’est pas le journal d’un relevé", "is not a survey's journal"),
    "diagnose": ("cible", "target"),
    "diagnose pacs": ("cible « pacs » : il manque le port", "target \"pacs\": the port is missing"),
    "diagnose https://pacs.chu.example": ("une cible n’est pas une adresse web", "a target is not a web address"),
    "diagnose 127.0.0.1:1 --timeout 9h": ("de 1 s à 5 min", "1 s to 5 min is wanted"),
    "case": ("il faut une commande après vigie case", "a command is wanted"),
    "case note @good": ("comme dans : vigie case note", "as in: vigie case note"),
    "case list @good": ("aucun CSIRT ne travaille ici", "no CSIRT works here"),
    "case list @team": ("csirt.team : « /nope.json » ne s’ouvre pas", "csirt.team: "),
    "case list @member": ("team.json : name : par exemple « name »", "team.json: name: as in"),
    "user": ("il faut une commande après vigie user", "a command is wanted"),
    "user add a --role chief @good": ("--role reader, biomed, analyst, head ou admin", "--role reader, biomed, analyst, head or admin"),
    "user grant a @good": ("comme dans : vigie user grant", "as in: vigie user grant"),
    "user grant nobody registration @good": ("le compte nobody n’existe pas", "there is no user nobody"),
    "user disable nobody @good": ("le compte nobody n’existe pas", "there is no user nobody"),
    "user certificate a @good": ("comme dans : vigie user certificate", "as in: vigie user certificate"),
    "user list --lang de": ("--lang de : ", "--lang de: fr or en is wanted"),
    "serve --config /nope": ("/nope : il n’y a pas de fichier de ce nom", "/nope: No such file"),
    "serve @unknown": ("[site] nom n’est pas une clé de Vigie", "[site] nom is not a key of Vigie"),
    "serve @number": ("parallel = beaucoup : il faut un nombre entier, par exemple : parallel = 5000", "a whole number is wanted, as in: parallel = 5000"),
    "serve @flag": ("il faut true ou false", "true or false is wanted"),
    "serve @duration": ("il faut une durée", "a duration is wanted"),
    "serve @list": ("nombres entiers de 0 à 3650", "whole numbers from 0 to 3650"),
    "serve @bounds": ("de 1 à 20000 est attendu", "1 to 20000 is wanted"),
    "serve @hour": ("alarms.hour : 25 : de 0 à 23 est attendu", "alarms.hour: 25: 0 to 23 is wanted"),
    "serve @zone": ("n’est pas un fuseau de ce système", "is not a zone of this system"),
    "serve @language": ("[site] language vaut fr ou en", "[site] language is fr or en"),
    "serve @line": ("la ligne « name » n’est ni CLÉ = VALEUR", "which is not a key-value pair"),
    "serve @depth": ("certificate, protocols ou full est attendu", "certificate, protocols or full is wanted"),
    "serve @schedule": ("25:99 : des heures sont attendues", "25:99: times of the day are wanted"),
    "serve @lease": ("lease = 1 s : 3 s au moins", "lease = 1 s: 3 s at least"),
    "serve @roots": ("roots = /nope.pem : ce fichier n’existe pas", "roots = /nope.pem: there is no such file"),
    "serve @server": ("une adresse smtp://HÔTE:PORT", "an address of the form smtp://HOST:PORT"),
    "serve @clear": ("son mot de passe partirait en clair", "its password would be sent in clear"),
    "serve @mailbox": ("une adresse imaps://HÔTE:PORT", "an address of the form imaps://HOST:PORT"),
    "serve @team": ("csirt.team : « /nope.json » ne s’ouvre pas", "csirt.team: "),
    "serve @account": ("nobody-here : ce compte n’existe pas", "nobody-here: there is no such account"),
    "serve @listen": ("ADRESSE:PORT ou unix:/CHEMIN est attendu", "ADDRESS:PORT or unix:/PATH is wanted"),
    "serve @taken": ("l’adresse est déjà prise ; un autre programme y est-il", "Address already in use; is another program there"),
    "serve @kind": ("[store] url commence par sqlite: ou postgresql:", "[store] url begins with sqlite: or postgresql:"),
    "serve @nowhere": ("le dossier /proc/nope ne peut pas être créé", "the folder /proc/nope cannot be made"),
    "serve @damaged": ("le fichier est abîmé", "the file is damaged"),
    "serve @away": ("psql, avec la même adresse, doit se connecter", "psql, given the same address, should connect"),
}
# What English has, and no French sentence of these.
ENGLISH = re.compile(r"\b(the|is|are|was|of|and|with|to|not|cannot|could|be|by|there|this|that|which|has|have|wanted|such)\b")


def prepare():
    for name, text in CONFIGURATIONS.items():
        if "[store]" not in text:
            text = "[store]\nurl = sqlite:vigie.db\n" + text
        if "[portal]" not in text:
            text += "[portal]\nlisten = 127.0.0.1:0\n"
        (FOLDER / f"{name}.conf").write_text(text)
    (FOLDER / "team.json").write_text('{"nom": "CSIRT"}')
    (FOLDER / "head.csv").write_text("Marque;Service\nA;B\n")
    (FOLDER / "noise.db").write_bytes(bytes(range(256)) * 64)
    subprocess.run([vigie.PROGRAM, "fleet", "list", "--config", "good.conf"], cwd=FOLDER, check=True, capture_output=True, timeout=60)
    whole = (FOLDER / "vigie.db").read_bytes()
    (FOLDER / "damaged.db").write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    (FOLDER / "newer.db").write_bytes(whole)
    with sqlite3.connect(FOLDER / "newer.db") as newer:
        newer.execute("INSERT INTO schema_migration (id, name, applied_at) VALUES (9999, 'later', 0)")


def run(line, lang):
    arguments = re.sub(r"@(\w+)", r"--config \1.conf", line).split()
    done = subprocess.run([vigie.PROGRAM, *arguments, *([] if "--lang" in arguments else ["--lang", lang])], cwd=FOLDER, text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=120, env={**os.environ, "LC_ALL": f"{lang}_FR.UTF-8"})
    return done, done.stderr.replace("\u00a0", " ").replace("\u202f", " ")


def refused(lang, place):
    wrong = []
    with concurrent.futures.ThreadPoolExecutor(6) as side_by_side:
        ran = list(side_by_side.map(lambda line: run(line, lang), REFUSED))
    for (line, words), (done, said) in zip(REFUSED.items(), ran):
        if os.environ.get("SHOW"):
            print("#", said.strip())
        english = ENGLISH.findall(said) if lang == "fr" else []
        if done.returncode != 2 or words[place] not in said or done.stdout or said.count("\n") != 1 or english:
            wrong.append(f"vigie {line}: {done.returncode} {done.stdout}{said}{english or ''}")
    assert not wrong, "\n".join(wrong)


def test_french():
    """a French reader is refused in French, in one line, without a word of English"""
    refused("fr", 0)


def test_english():
    """an English reader is refused in English, in one line"""
    refused("en", 1)


def test_child():
    """a process that cannot start says so through the one that was started, in the language of who did"""
    for lang, words in (("fr", "vigie portal n’a pas pu démarrer : portal.client_certificates : portal.listen doit alors être une socket Unix"),
                        ("en", "vigie portal could not start: portal.client_certificates: portal.listen must then be a Unix socket")):
        done, said = run("serve @certificates", lang)
        last = said.splitlines()[-1]
        assert done.returncode == 2 and words in last and (lang == "en" or not ENGLISH.findall(last)), said


def test_doctor():
    """what the doctor found is in the reader's language, the reason too"""
    for name, fr, en in (("relay", "aucune connexion à 127.0.0.1", "Couldn't connect"), ("away", "le serveur ne répond pas (", "the server does not answer"),
                         ("damaged", "le fichier est abîmé", "the file is damaged"), ("bounds", "de 1 à 20000 est attendu", "1 to 20000 is wanted")):
        for lang, words in (("fr", fr), ("en", en)):
            done, _ = run(f"doctor @{name}", lang)
            said = done.stdout.replace("\u00a0", " ").replace("\u202f", " ")
            if os.environ.get("SHOW"):
                print("#", said.replace("\n", "\n# "))
            assert done.returncode in (0, 1) and words in said, f"doctor {name}: {said}{done.stderr}"
            assert lang == "en" or not ENGLISH.findall(said), f"doctor {name}: {ENGLISH.findall(said)} in {said}"


prepare()
tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
