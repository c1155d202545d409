/* The hospital's devices: one row each. Manufacturers, models and places are invented. */
#include "lab/lab.h"

#define BIO "Biomédical"
#define DSI "DSI"
#define FOU "Fournisseur"
#define VITAL "Vitale"
#define MAJOR "Majeure"
#define MODERATE "Modérée"
#define MINOR "Mineure"

/* clang-format off: a table is read by its columns */
const LabDevice lab_devices[] = {
    {LAB_IMAGING, 1, "Scanner 64 barrettes", "scanner-01", "Tomélia", "Kea 64", "KEA64-19-0031", "6.3.2",
     "Imagerie, salle 1", BIO, MAJOR, 2762, "dicom", NULL},
    {LAB_IMAGING, 2, "Scanner des urgences", "scanner-02", "Tomélia", "Kea 128", "KEA128-22-0107", "7.1.0",
     "Urgences, salle scanner", BIO, VITAL, 2762, "dicom", "clock-ahead tls12-only"},
    {LAB_IMAGING, 3, "IRM 1,5 T", "irm-01", "Magnora", "Boréa 1.5", "BOR-17-4410", "E11C",
     "Imagerie, salle 4", BIO, MAJOR, 11112, "dicom", "plain-dicom"},
    {LAB_IMAGING, 4, "Échographe de consultation", "echo-04", "Ondalis", "Aquila 7", "OA7-18-0412", "4.2.1",
     "Maternité, consultation 2", BIO, MODERATE, 8443, "https", "expires-in-20"},
    {LAB_IMAGING, 5, "Échographe du bloc obstétrical", "echo-05", "Ondalis", "Aquila 9", "OA9-21-0077",
     "5.0.3", "Bloc obstétrical", BIO, MAJOR, 8443, "https", NULL},
    {LAB_IMAGING, 6, "Mammographe", "mammo-01", "Sénoval", "Clarté 3D", "SV3D-20-0019", "2.8",
     "Imagerie, salle 6", BIO, MAJOR, 2762, "dicom", NULL},
    {LAB_IMAGING, 7, "Serveur d'images (PACS)", "pacs-01", "Archimage", "Atlas", "ATL-0002", "11.4",
     "Salle serveurs A", DSI, VITAL, 8443, "dicomweb", NULL},
    {LAB_IMAGING, 8, "Développeuse de plaques", "plaques-01", "Tomélia", "CR 30", "CR30-09-0220", "1.7",
     "Imagerie, couloir", BIO, MINOR, 2762, "dicom", "ssl3-only"},

    {LAB_MONITORING, 1, "Centrale de monitoring", "centrale-rea", "Vigimed", "Centralis", "VC-20-0005",
     "3.4.1", "Réanimation, poste central", BIO, VITAL, 8443, "https", NULL},
    {LAB_MONITORING, 2, "Moniteur multiparamétrique lit 1", "moniteur-rea-01", "Vigimed", "Sentia 5",
     "VS5-20-1101", "3.4.0", "Réanimation, lit 1", BIO, VITAL, 8443, "https", NULL},
    {LAB_MONITORING, 3, "Moniteur multiparamétrique lit 2", "moniteur-rea-02", "Vigimed", "Sentia 5",
     "VS5-20-1102", "3.4.0", "Réanimation, lit 2", BIO, VITAL, 8443, "https", "expires-in-3"},
    {LAB_MONITORING, 4, "Moniteur multiparamétrique lit 3", "moniteur-rea-03", "Vigimed", "Sentia 5",
     "VS5-20-1103", "3.4.0", "Réanimation, lit 3", BIO, VITAL, 8443, "https", NULL},
    {LAB_MONITORING, 5, "Station de télémétrie cardiaque", "telemetrie-01", "Cordalys", "Télia",
     "TEL-16-0090", "2.2", "Cardiologie, poste de soins", BIO, VITAL, 2575, "mllp", "tls10-too"},
    {LAB_MONITORING, 6, "Concentrateur d'alarmes", "alarmes-01", "Vigimed", "Relais", "VR-19-0008", "1.9.4",
     "Local technique 2", DSI, VITAL, 2525, "smtp", NULL},
    {LAB_MONITORING, 7, "Moniteur de transport", "moniteur-smur-01", "Vigimed", "Sentia T", "VST-14-0033",
     "1.1", "SMUR, véhicule 1", BIO, MAJOR, 8443, "https", "refused"},

    {LAB_LABORATORY, 1, "Automate de biochimie 1", "automate-01", "Analytix", "Chimera 800", "C800-19-0012",
     "9.2", "Laboratoire, chaîne A", BIO, VITAL, 2575, "mllp", NULL},
    {LAB_LABORATORY, 2, "Automate de biochimie 2", "automate-02", "Analytix", "Chimera 800", "C800-19-0013",
     "9.2", "Laboratoire, chaîne A", BIO, VITAL, 8443, "https", "clock-ahead expired"},
    {LAB_LABORATORY, 3, "Automate d'hématologie", "hemato-01", "Hématis", "Globula XL", "GXL-21-0450",
     "4.0.7", "Laboratoire, chaîne B", BIO, VITAL, 8443, "https", "expired"},
    {LAB_LABORATORY, 4, "Analyseur de gaz du sang", "gaz-01", "Hématis", "Pneuma", "PN-17-0101", "2.5",
     "Réanimation, laboratoire délocalisé", BIO, VITAL, 8443, "https", "missing-intermediate"},
    {LAB_LABORATORY, 5, "Automate de coagulation", "coag-01", "Analytix", "Fibra", "FIB-13-0064", "1.3",
     "Laboratoire, chaîne B", BIO, MAJOR, 2575, "mllp", "plain-mllp"},
    {LAB_LABORATORY, 6, "Concentrateur de biologie (FHIR)", "bio-fhir", "Interopia", "Passerelle",
     "IP-22-0003", "5.8.1", "Salle serveurs A", DSI, VITAL, 8443, "fhir", NULL},
    {LAB_LABORATORY, 7, "Automate d'immunologie", "immuno-01", "Analytix", "Lumen", "LUM-15-0027", "3.1",
     "Laboratoire, chaîne A", FOU, MAJOR, 8443, "https", "sha1"},
    {LAB_LABORATORY, 8, "Identificateur de bactéries", "bacterio-01", "Microval", "Ident 2", "ID2-12-0002",
     "1.0.9", "Laboratoire, bactériologie", FOU, MODERATE, 2121, "https", "ftp"},

    {LAB_ANAESTHESIA, 1, "Respirateur du bloc 1", "respi-bloc-01", "Pneumalys", "Éole", "EOL-20-0201", "2.6",
     "Bloc opératoire, salle 1", BIO, VITAL, 8443, "https", NULL},
    {LAB_ANAESTHESIA, 2, "Respirateur du bloc 2", "respi-bloc-02", "Pneumalys", "Éole", "EOL-20-0202", "2.6",
     "Bloc opératoire, salle 2", BIO, VITAL, 8443, "https", "unknown-authority"},
    {LAB_ANAESTHESIA, 3, "Station d'anesthésie 1", "anesthesie-01", "Pneumalys", "Morphéa", "MOR-21-0011",
     "5.1", "Bloc opératoire, salle 1", BIO, VITAL, 8443, "https", "tls12-only"},
    {LAB_ANAESTHESIA, 4, "Station d'anesthésie 2", "anesthesie-02", "Pneumalys", "Morphéa", "MOR-11-0004",
     "1.2", "Bloc opératoire, salle 2", BIO, VITAL, 8443, "https", "tls10-only"},
    {LAB_ANAESTHESIA, 5, "Supervision des blocs", "supervision-bloc", "Interopia", "Blocview", "BV-23-0001",
     "1.14", "Salle serveurs A", DSI, MAJOR, 8443, "https", "tls13-only"},
    {LAB_ANAESTHESIA, 6, "Moniteur de curarisation", "curare-01", "Pneumalys", "Tonus", "TON-18-0081", "1.4",
     "Bloc opératoire, salle 3", BIO, MAJOR, 2575, "mllp", NULL},
    {LAB_ANAESTHESIA, 7, "Respirateur de réanimation", "respi-rea-01", "Pneumalys", "Éole R", "EOR-22-0310",
     "3.0", "Réanimation, lit 1", BIO, VITAL, 8443, "https", "reset"},

    {LAB_CARDIOLOGY, 1, "ECG numérique 1", "ecg-01", "Cordalys", "Rythma 12", "RY12-19-0140", "4.4",
     "Cardiologie, consultation 1", BIO, MAJOR, 2762, "dicom", NULL},
    {LAB_CARDIOLOGY, 2, "ECG numérique 2", "ecg-02", "Cordalys", "Rythma 12", "RY12-19-0141", "4.4",
     "Cardiologie, consultation 2", BIO, MAJOR, 2762, "dicom", "other-name"},
    {LAB_CARDIOLOGY, 3, "ECG des urgences", "ecg-urg-01", "Cordalys", "Rythma 12", "RY12-22-0302", "4.6",
     "Urgences, box 3", BIO, VITAL, 8443, "https", "clock-behind"},
    {LAB_CARDIOLOGY, 4, "Épreuve d'effort", "effort-01", "Cordalys", "Stadia", "STA-16-0009", "2.0",
     "Cardiologie, salle d'effort", BIO, MODERATE, 8443, "https", "wrong-order"},
    {LAB_CARDIOLOGY, 5, "Échographe cardiaque", "echo-cardio-01", "Ondalis", "Cardia 9", "OC9-21-0060",
     "5.0.3", "Cardiologie, échographie", BIO, MAJOR, 2762, "dicom", NULL},
    {LAB_CARDIOLOGY, 6, "Serveur de cardiologie", "cardio-srv", "Interopia", "Cordat", "CD-20-0001", "8.2",
     "Salle serveurs B", DSI, MAJOR, 8443, "fhir", NULL},
    {LAB_CARDIOLOGY, 7, "Holter, lecteur", "holter-01", "Cordalys", "Nocta", "NOC-13-0055", "1.8",
     "Cardiologie, secrétariat", BIO, MINOR, 8443, "https", "not-yet-valid"},
    {LAB_CARDIOLOGY, 8, "Programmateur de stimulateurs", "stimul-01", "Cordalys", "Paxa", "PAX-18-0010",
     "2.3", "Cardiologie, salle 5", FOU, MAJOR, 8443, "https", "client-certificate"},

    {LAB_STERILISATION, 1, "Autoclave 1", "autoclave-01", "Stérivap", "Vulcain 6", "VU6-17-0007", "3.2",
     "Stérilisation, zone propre", BIO, MAJOR, 8443, "https", NULL},
    {LAB_STERILISATION, 2, "Autoclave 2", "autoclave-02", "Stérivap", "Vulcain 6", "VU6-17-0008", "3.2",
     "Stérilisation, zone propre", BIO, MAJOR, 8443, "https", "self-signed"},
    {LAB_STERILISATION, 3, "Laveur-désinfecteur d'endoscopes 1", "laveur-01", "Stérivap", "Naïade",
     "NA-20-0015", "2.1", "Endoscopie, désinfection", BIO, MAJOR, 8443, "https", NULL},
    {LAB_STERILISATION, 4, "Laveur-désinfecteur d'endoscopes 2", "laveur-02", "Stérivap", "Naïade",
     "NA-20-0016", "2.1", "Endoscopie, désinfection", BIO, MAJOR, 8080, "https", "plain-http"},
    {LAB_STERILISATION, 5, "Colonne vidéo d'endoscopie", "endo-01", "Optivis", "Iris 4K", "IR4-22-0044",
     "1.6", "Endoscopie, salle 1", BIO, MAJOR, 2762, "dicom", NULL},
    {LAB_STERILISATION, 6, "Colonne vidéo d'endoscopie 2", "endo-02", "Optivis", "Iris HD", "IRH-12-0021",
     "1.0", "Endoscopie, salle 2", BIO, MODERATE, 2762, "dicom", "weak-suites"},
    {LAB_STERILISATION, 7, "Traçabilité de stérilisation", "traca-01", "Interopia", "Cyclo", "CY-19-0001",
     "4.5", "Salle serveurs B", DSI, MAJOR, 8443, "https", NULL},
    {LAB_STERILISATION, 8, "Thermosoudeuse connectée", "soudeuse-01", "Stérivap", "Scella", "SC-15-0003",
     "1.1", "Stérilisation, conditionnement", BIO, MINOR, 2323, "https", "telnet"},

    {LAB_INFUSION, 1, "Station de pompes, réanimation lit 1", "pompes-rea-01", "Perfalia", "Quadra",
     "QD-21-0701", "6.1.2", "Réanimation, lit 1", BIO, VITAL, 8443, "https", NULL},
    {LAB_INFUSION, 2, "Station de pompes, réanimation lit 2", "pompes-rea-02", "Perfalia", "Quadra",
     "QD-21-0702", "6.1.2", "Réanimation, lit 2", BIO, VITAL, 8443, "https", "expires-in-60"},
    {LAB_INFUSION, 3, "Station de pompes, pédiatrie", "pompes-ped-01", "Perfalia", "Quadra", "QD-21-0703",
     "6.1.2", "Pédiatrie, chambre 12", BIO, VITAL, 8443, "https", NULL},
    {LAB_INFUSION, 4, "Pousse-seringue", "seringue-01", "Perfalia", "Lenta", "LE-16-0340", "2.9",
     "Bloc opératoire, salle 1", BIO, VITAL, 8443, "https", "rsa-1024"},
    {LAB_INFUSION, 5, "Serveur de bibliothèques de médicaments", "pharma-pompes", "Perfalia", "Formula",
     "FO-21-0001", "6.1.0", "Salle serveurs A", DSI, VITAL, 8443, "https", NULL},
    {LAB_INFUSION, 6, "Pompe à nutrition", "nutrition-01", "Perfalia", "Nutra", "NU-14-0012", "1.5",
     "Pédiatrie, chambre 8", BIO, MODERATE, 8443, "https", "silent"},
    {LAB_INFUSION, 7, "Annuaire des opérateurs de pompes", "annuaire-pompes", "Perfalia", "Formula",
     "FO-21-0002", "6.1.0", "Salle serveurs A", DSI, MODERATE, 1636, "ldaps", NULL},

    {LAB_BEDS, 1, "Lit connecté, réanimation 1", "lit-rea-01", "Somnalis", "Alizé", "AZ-22-2001", "3.0.1",
     "Réanimation, lit 1", BIO, MODERATE, 8443, "https", NULL},
    {LAB_BEDS, 2, "Lit connecté, réanimation 2", "lit-rea-02", "Somnalis", "Alizé", "AZ-22-2002", "3.0.1",
     "Réanimation, lit 2", BIO, MODERATE, 8443, "https", NULL},
    {LAB_BEDS, 3, "Lit connecté, gériatrie", "lit-ger-01", "Somnalis", "Alizé", "AZ-22-2003", "3.0.1",
     "Gériatrie, chambre 4", BIO, MINOR, 8443, "https", NULL},
    {LAB_BEDS, 4, "Passerelle de capteurs de chute", "chute-01", "Capteo", "Nid", "NID-23-0100", "1.2",
     "Gériatrie, local technique", FOU, MODERATE, 8443, "fhir", NULL},
    {LAB_BEDS, 5, "Passerelle de capteurs de pression", "pression-01", "Capteo", "Nid", "NID-23-0101", "1.2",
     "Gériatrie, couloir", FOU, MODERATE, 8443, "https", "closes"},
    {LAB_BEDS, 6, "Passerelle de géolocalisation", "geoloc-01", "Capteo", "Boussole", "BO-20-0004", "2.2",
     "Local technique 1", DSI, MINOR, 8443, "https", NULL},
    {LAB_BEDS, 7, "Appel malade", "appel-01", "Capteo", "Clochette", "CL-08-0001", "1.0",
     "Médecine A, poste de soins", FOU, MAJOR, 8443, "https", "ssl2-only"},
};
/* clang-format on */

const size_t lab_device_count = G_N_ELEMENTS(lab_devices);

char *lab_device_fqdn(const LabDevice *device) {
    return g_strdup_printf("%s.chu-kermarec.test", device->host);
}

char *lab_device_address(const LabDevice *device, const char *network) {
    return g_strdup_printf("%s.%d.%d", network, (int)device->class_, device->number);
}
