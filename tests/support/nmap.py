"""What nmap's ssl-enum-ciphers sees at a port, as a second opinion: {"TLSv1.2": {suites}, …} and who prefers."""
import subprocess
import xml.etree.ElementTree as xml


def enumerate_suites(port):
    done = subprocess.run(["nmap", "-Pn", "-n", "-sT", "-p", str(port), "--script", "ssl-enum-ciphers", "-oX", "-",
                           "127.0.0.1"], capture_output=True, text=True, check=True, timeout=120)
    suites, preference = {}, {}
    for table in xml.fromstring(done.stdout).iterfind(".//script[@id='ssl-enum-ciphers']/table"):
        version = table.get("key")
        names = [elem.text for elem in table.iterfind("table[@key='ciphers']/table/elem[@key='name']")]
        suites[version] = [name.replace("TLS_AKE_WITH_", "TLS_") for name in names]
        preference[version] = table.findtext("elem[@key='cipher preference']")
    return suites, preference
