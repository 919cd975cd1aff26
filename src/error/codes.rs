//! The one table of codes: name on the wire, kind, English and Italian text, hint.
//!
//! The manual's table is generated from it (`Code::ALL`). A code, once published, keeps its meaning for ever.

use serde::{Deserialize, Serialize};

use super::Lang;

/// What sort of trouble a code is: decides HTTP status and exit status, in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The caller asked wrongly: 400, exit 2.
    Usage,
    /// No or wrong credentials: 401, exit 1.
    Unauthenticated,
    /// Known, but not allowed: 403, exit 1.
    Forbidden,
    /// 404, exit 1.
    NotFound,
    /// Same key, other content: 409, exit 1.
    Conflict,
    /// Disposed, with its act: 410, exit 1.
    Gone,
    /// 413, exit 1.
    TooLarge,
    /// 415, exit 1.
    Media,
    /// 405, exit 2.
    Method,
    /// 416, exit 2.
    Range,
    /// Refused with findings: 422, exit 1.
    Refused,
    /// 423, exit 2: another process owns the archive.
    Locked,
    /// 503 with Retry-After, exit 2.
    Unavailable,
    /// The archive is not what it should be: 500, exit 1.
    Damage,
    /// Could not: 500, exit 2.
    Io,
    /// A mistake in the configuration, or in a draft of a class or policy: 422, exit 2.
    Config,
    /// Only ever a finding inside a report.
    Finding,
}

impl Kind {
    /// HTTP status (RFC 9110).
    pub fn http_status(self) -> u16 {
        match self {
            Self::Usage => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Gone => 410,
            Self::TooLarge => 413,
            Self::Media => 415,
            Self::Method => 405,
            Self::Range => 416,
            // Over HTTP a configuration comes as a draft of a class or policy: what is wrong with it is the sender's.
            Self::Refused | Self::Finding | Self::Config => 422,
            Self::Locked => 423,
            Self::Unavailable => 503,
            Self::Damage | Self::Io => 500,
        }
    }

    /// Exit status of the command line: 1 bad, 2 could not.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Usage | Self::Method | Self::Range | Self::Locked | Self::Unavailable | Self::Io | Self::Config => 2,
            _ => 1,
        }
    }
}

macro_rules! codes {
    ($( $(#[$section:meta])* $name:ident = $wire:literal, $kind:ident, $en:literal, $it:literal, $hint_en:literal, $hint_it:literal; )*) => {
        /// Every code Custode can utter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Code {
            $( #[doc = $en] #[serde(rename = $wire)] $name, )*
        }

        impl Code {
            /// All of them, in the table's order.
            pub const ALL: &'static [Code] = &[ $( Code::$name, )* ];

            /// Name on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $( Code::$name => $wire, )* }
            }

            /// What sort of trouble.
            pub fn kind(self) -> Kind {
                match self { $( Code::$name => Kind::$kind, )* }
            }

            /// Text for people.
            pub fn text(self, lang: Lang) -> &'static str {
                match (self, lang) { $( (Code::$name, Lang::En) => $en, (Code::$name, Lang::It) => $it, )* }
            }

            /// What to do next; may be empty.
            pub fn hint(self, lang: Lang) -> &'static str {
                match (self, lang) { $( (Code::$name, Lang::En) => $hint_en, (Code::$name, Lang::It) => $hint_it, )* }
            }
        }
    };
}

codes! {
    // -- ground --------------------------------------------------------------------------------------------------------
    Io = "io", Io, "input/output error", "errore di lettura o scrittura", "see the cause; nothing was changed", "vedere la causa; nulla è stato modificato";
    DiskFull = "disk-full", Unavailable, "no space left", "spazio esaurito", "free space on that file system; what was acknowledged is safe", "liberare spazio; quanto già accettato è al sicuro";
    FileMissing = "file-missing", Io, "file or folder not found", "file o cartella non trovati", "check the path", "controllare il percorso";
    FileNotPlain = "file-not-plain", Damage, "a link, pipe, device or folder stands where a plain file belongs", "un collegamento, una pipe, un dispositivo o una cartella occupa il posto di un file", "find out who put it there; put the file back from a copy", "scoprire chi l'ha messo; rimettere il file da una copia";
    FilePermission = "file-permission", Io, "permission denied", "permesso negato", "check owner and mode", "controllare proprietario e permessi";
    Internal = "internal", Io, "internal error", "errore interno", "please report it with the log", "segnalarlo insieme al log";
    FolderNotEmpty = "folder-not-empty", Usage, "the folder exists and is not empty", "la cartella esiste e non è vuota", "choose another, or remove it", "sceglierne un'altra o rimuoverla";
    Usage = "usage", Usage, "wrong usage", "uso errato", "see --help", "vedere --help";
    MethodWrong = "http/method", Method, "this address does not take that method", "questo indirizzo non accetta quel metodo", "see /openapi.json", "vedere /openapi.json";
    ClockBackwards = "clock-backwards", Unavailable, "the clock stepped backwards", "l'orologio è tornato indietro", "set the clock right (NTP) and retry; nothing was accepted meanwhile", "correggere l'orologio (NTP) e riprovare; nel frattempo nulla è stato accettato";
    // -- archive and configuration -------------------------------------------------------------------------------------
    ArchiveExists = "archive/exists", Usage, "there is already an archive here", "qui esiste già un archivio", "choose an empty folder", "scegliere una cartella vuota";
    ArchiveUnfinished = "archive/unfinished", Usage, "`custode init` was interrupted here; nothing was ever kept in this archive", "`custode init` è stato interrotto qui; questo archivio non ha mai conservato nulla", "remove this folder and the keys that go with it, then run `custode init` again", "eliminare questa cartella e le relative chiavi, poi rieseguire `custode init`";
    ArchiveMissing = "archive/missing", Usage, "no archive here", "nessun archivio qui", "run `custode init`, or give --archive", "eseguire `custode init` o indicare --archive";
    ArchiveLocked = "archive/locked", Locked, "another process owns the archive", "un altro processo usa l'archivio", "stop it, or let the command reach its server", "fermarlo, o lasciare che il comando usi il suo server";
    ConfigInvalid = "config/invalid", Config, "wrong configuration", "configurazione errata", "see the commented custode.toml", "vedere custode.toml, commentato voce per voce";
    ConfigMissing = "config/missing", Config, "a required setting is missing", "manca un'impostazione obbligatoria", "add it to custode.toml", "aggiungerla a custode.toml";
    ProfileForbids = "profile/forbids", Config, "the archive's profile does not allow this", "il profilo dell'archivio non lo permette", "change it in custode.toml; the profile itself never changes", "correggerlo in custode.toml; il profilo non cambia mai";
    NotAdopted = "config/not-adopted", Config, "edited or unknown class or policy file", "file di classe o politica modificato o sconosciuto", "run `custode class adopt FILE` or `custode policy adopt FILE`", "eseguire `custode class adopt FILE` o `custode policy adopt FILE`";
    ConfigWritable = "config/writable-by-others", Config, "others can write to the configuration or to a key", "altri possono scrivere nella configurazione o in una chiave", "it decides which programs run and whom the archive believes: `chmod go-w FILE`, and `chown` it to who runs the archive, or to root", "decide quali programmi si eseguono e a chi l'archivio crede: `chmod go-w FILE`, e `chown` a chi esegue l'archivio, o a root";
    SecretExposed = "config/secret-exposed", Config, "others can read a key or a secret", "altri possono leggere una chiave o un segreto", "`chmod 600 FILE`, and `chown` it to who runs the archive; who could read it until now may hold it: change the secret when that matters", "`chmod 600 FILE`, e `chown` a chi esegue l'archivio; chi ha potuto leggerlo finora può averlo: cambiare il segreto se è il caso";
    ConfigChanged = "config/changed", Finding, "the configuration is another than at the last opening", "la configurazione è diversa da quella dell'ultima apertura", "make sure that whoever changed it was meant to", "accertarsi che chi l'ha modificata ne fosse incaricato";
    KeyMissing = "key/missing", Config, "the archive's key is missing or wrong", "la chiave dell'archivio manca o è errata", "check the `keys` path in custode.toml", "controllare il percorso `keys` in custode.toml";
    KeyNotInForce = "key/not-in-force", Damage, "signed by a key of the archive outside its reign", "firmato con una chiave dell'archivio fuori dal suo periodo di validità", "somebody may have an old key: ask the archive, and compare with what witnesses and receipts say", "qualcuno potrebbe possedere una chiave vecchia: chiedere all'archivio e confrontare con testimoni e ricevute";
    KeyChangeBad = "key/change-bad", Damage, "a change of the archive's key is missing, out of order, or not signed by both keys", "un cambio della chiave dell'archivio manca, è fuori ordine o non è firmato da entrambe le chiavi", "believe nothing that the new key signed until it is known who made it", "non credere a ciò che ha firmato la nuova chiave finché non si sa chi l'ha creata";
    KeyCompromised = "key/compromised", Finding, "proved only by a key that the archive declared compromised", "provato solo da una chiave che l'archivio ha dichiarato compromessa", "look for another proof: a witness, a time-stamp, the depositor's own copy; and verify with the newest key", "cercare un'altra prova: un testimone, una marca temporale, la copia del versante; e verificare con la chiave più recente";
    // -- persons and tokens --------------------------------------------------------------------------------------------
    TokenMissing = "auth/token-missing", Unauthenticated, "a bearer token is needed", "serve un token", "send Authorization: Bearer …", "inviare Authorization: Bearer …";
    TokenWrong = "auth/token-wrong", Unauthenticated, "unknown or revoked token", "token sconosciuto o revocato", "", "";
    TokenExpired = "auth/token-expired", Unauthenticated, "expired token", "token scaduto", "ask for a new one", "chiederne uno nuovo";
    RoleForbidden = "auth/role", Forbidden, "this role may not do this", "questo ruolo non può farlo", "", "";
    ClassForbidden = "auth/class", Forbidden, "this token is not for that class", "questo token non vale per quella classe", "", "";
    PersonNeeded = "auth/person", Forbidden, "this act needs a person's token", "questo atto richiede il token di una persona", "set CUSTODE_TOKEN", "impostare CUSTODE_TOKEN";
    // -- intake --------------------------------------------------------------------------------------------------------
    ClassUnknown = "intake/class-unknown", Refused, "unknown class", "classe sconosciuta", "see `custode class list`", "vedere `custode class list`";
    BodyEmpty = "intake/empty", Refused, "empty body", "contenuto vuoto", "", "";
    BodyCut = "intake/cut-short", Refused, "the body ended before its announced length", "il contenuto è finito prima della lunghezza annunciata", "send it again", "inviarlo di nuovo";
    BodyTooLarge = "intake/too-large", TooLarge, "the body is larger than the limit", "il contenuto supera il limite", "see intake.max_document in custode.toml", "vedere intake.max_document in custode.toml";
    MediaType = "intake/media-type", Media, "this content type is not taken here", "questo tipo di contenuto non è accettato qui", "multipart/form-data with a part `manifest`; see /openapi.json", "multipart/form-data con una parte `manifest`; vedere /openapi.json";
    DigestMismatch = "intake/digest", Refused, "declared and computed digest differ", "impronta dichiarata e calcolata differiscono", "send it again", "inviarlo di nuovo";
    DigestHeader = "intake/digest-header", Usage, "Content-Digest is not understood", "Content-Digest non è comprensibile", "use sha-256=:BASE64: (RFC 9530)", "usare sha-256=:BASE64: (RFC 9530)";
    PartMissing = "intake/part-missing", Refused, "a declared file did not arrive", "un file dichiarato non è arrivato", "", "";
    PartUndeclared = "intake/part-undeclared", Refused, "a file arrived that the manifest does not declare", "è arrivato un file non dichiarato nel manifesto", "", "";
    PartDuplicate = "intake/part-duplicate", Refused, "two files of the deposit have the same name", "due file del versamento hanno lo stesso nome", "", "";
    ManifestInvalid = "intake/manifest", Refused, "the manifest is not valid", "il manifesto non è valido", "see /openapi.json", "vedere /openapi.json";
    NameInvalid = "intake/name", Refused, "the file name cannot be kept", "il nome del file non può essere conservato", "1 to 255 characters, no control characters", "da 1 a 255 caratteri, senza caratteri di controllo";
    NameDeceptive = "intake/name-deceptive", Finding, "the file name holds characters that are not shown, or turn the direction of the text; kept as it is", "il nome del file contiene caratteri invisibili o che invertono il verso del testo; conservato così com'è", "look at the format recognised from the content, not at the name", "guardare il formato riconosciuto dal contenuto, non il nome";
    NameHostile = "intake/name-hostile", Finding, "the file name looks like a path; kept as text only", "il nome del file somiglia a un percorso; conservato solo come testo", "", "";
    KeyConflict = "intake/key-conflict", Conflict, "this idempotency key was used for other content", "questa chiave di idempotenza è già stata usata per altro contenuto", "use a new key", "usare una nuova chiave";
    NoAgreement = "intake/no-agreement", Refused, "no submission agreement covers this producer and class", "nessun accordo di versamento copre questo produttore e questa classe", "see [[agreements]] in custode.toml", "vedere [[agreements]] in custode.toml";
    MetadataInUrl = "intake/metadata-in-url", Refused, "metadata of a personal class stood in the address", "metadati di una classe con dati personali nell'indirizzo", "send them in the header Custode-Metadata", "inviarli nell'intestazione Custode-Metadata";
    Blocked = "intake/blocked", Refused, "refused too many times; a manager must unblock it", "rifiutato troppe volte; deve sbloccarlo un responsabile", "a manager unblocks it with a reason", "un responsabile lo sblocca con motivazione";
    JournalBehind = "intake/behind", Unavailable, "the journal is behind", "il giornale è in ritardo", "retry later", "riprovare più tardi";
    JournalClosed = "intake/closed", Unavailable, "intake is closed", "l'accettazione è chiusa", "retry later", "riprovare più tardi";
    Malware = "intake/malware", Refused, "malware found", "trovato software malevolo", "", "";
    MalwareNotRun = "intake/malware-not-run", Finding, "the malware control could not be made", "il controllo antivirus non è stato eseguito", "", "";
    // -- metadata and formats ------------------------------------------------------------------------------------------
    MetadataSchema = "metadata/schema", Refused, "the metadata do not fit the class", "i metadati non rispettano la classe", "", "";
    MetadataUnknown = "metadata/unknown-field", Finding, "a field unknown to the class; kept", "campo sconosciuto alla classe; conservato", "", "";
    MetadataUnknownRefused = "metadata/unknown-field-refused", Refused, "a field unknown to a personal class", "campo sconosciuto a una classe con dati personali", "", "";
    MetadataContradiction = "metadata/contradiction", Finding, "given and extracted values differ", "valore dato e valore estratto differiscono", "", "";
    MetadataNotJson = "metadata/not-json", Usage, "the metadata are not JSON", "i metadati non sono JSON", "", "";
    FormatNotAdmitted = "format/not-admitted", Refused, "the format is not admitted by the class", "il formato non è ammesso dalla classe", "", "";
    FormatMismatch = "format/mismatch", Finding, "the content is not what the name says", "il contenuto non è ciò che il nome indica", "", "";
    FormatUnknown = "format/unknown", Finding, "format not recognised", "formato non riconosciuto", "", "";
    ReaderTooLarge = "reader/too-large", Finding, "too large to be read in depth; kept", "troppo grande per la lettura approfondita; conservato", "", "";
    // -- readers -------------------------------------------------------------------------------------------------------
    MailMalformed = "mail/malformed", Refused, "not a readable e-mail message", "messaggio di posta non leggibile", "", "";
    MailTooDeep = "mail/too-deep", Finding, "MIME nested too deeply", "MIME annidato troppo in profondità", "", "";
    MailBoundary = "mail/boundary", Finding, "exact and lenient reading of the boundaries disagree", "lettura esatta e tollerante dei delimitatori discordi", "", "";
    MailTruncated = "mail/truncated", Refused, "the message is cut short: a multipart is not closed", "il messaggio è troncato: un multipart non è chiuso", "send the whole message; what was cut off cannot be proved", "inviare il messaggio intero; ciò che manca non si può provare";
    MailInnerCut = "mail/inner-truncated", Finding, "a message inside is cut short", "un messaggio contenuto è troncato", "", "";
    MailTooMany = "mail/too-many-parts", Finding, "more parts than are read", "più parti di quante se ne leggono", "", "";
    MailHeaderLong = "mail/header-too-long", Finding, "a header block longer than is read", "intestazione più lunga di quanto si legge", "", "";
    MailRepeated = "mail/repeated-header", Finding, "a header that there is one of stands there more than once; programs differ in which they show", "un'intestazione che dovrebbe essere unica compare più volte; i programmi ne mostrano l'una o l'altra", "", "";
    MailCharset = "mail/charset", Finding, "raw 8-bit characters in a header that are not UTF-8", "caratteri a 8 bit non UTF-8 in un'intestazione", "", "";
    MailEncoding = "mail/transfer-encoding", Finding, "a part is not in the transfer encoding it declares", "una parte non rispetta la codifica di trasferimento dichiarata", "", "";
    MailEncrypted = "mail/encrypted", Finding, "encrypted for its recipients: kept and not looked into", "cifrato per i destinatari: conservato e non esaminato", "", "";
    PecNoDaticert = "pec/no-daticert", Finding, "no daticert.xml: not certified data", "manca daticert.xml: dati non certificati", "", "";
    PecDaticertBad = "pec/daticert-bad", Finding, "daticert.xml is not as the rules say", "daticert.xml non conforme alle regole", "", "";
    PecHeaderMismatch = "pec/header-mismatch", Finding, "headers contradict daticert.xml, which is trusted", "le intestazioni contraddicono daticert.xml, che prevale", "", "";
    PecTwice = "pec/part-twice", Finding, "a part that there is one of stands there more than once", "una parte che dovrebbe essere unica compare più volte", "", "";
    PecNoOriginal = "pec/no-postacert", Finding, "the message that should be inside is not", "manca il messaggio che dovrebbe essere contenuto", "", "";
    PecReceiptType = "pec/receipt-type", Finding, "a receipt type outside completa, breve, sintetica; read as completa", "tipo di ricevuta diverso da completa, breve, sintetica; letto come completa", "", "";
    PecKindUnknown = "pec/kind-unknown", Finding, "a marker header with a value outside the rules", "intestazione di tipo con un valore non previsto dalle regole", "", "";
    PecNotSigned = "pec/not-signed", Finding, "a PEC message that is not signed by a provider", "messaggio PEC non firmato da un gestore", "", "";
    PecBreveHash = "pec/breve-hash", Finding, "a part of a breve receipt that should hold a SHA-1 in 40 digits does not", "una parte di ricevuta breve che dovrebbe contenere uno SHA-1 di 40 cifre non lo contiene", "", "";
    PecRem = "pec/rem", Finding, "registered electronic mail (REM), not PEC", "posta elettronica qualificata (REM), non PEC", "", "";
    PecNotPec = "pec/not-pec", Finding, "an ordinary message, not a PEC", "messaggio ordinario, non PEC", "", "";
    PecRewrapped = "pec/rewrapped", Finding, "the signed part was found one level down", "la parte firmata è al secondo livello", "", "";
    XmlMalformed = "xml/malformed", Refused, "XML not well formed", "XML non ben formato", "", "";
    XmlDoctype = "xml/doctype", Refused, "XML with a DOCTYPE is not accepted", "XML con DOCTYPE non accettato", "", "";
    XmlTooDeep = "xml/too-deep", Refused, "XML nested too deeply or too large", "XML troppo annidato o troppo grande", "", "";
    XmlOutside = "xml/outside", Finding, "something other than XML before or after the document; kept, not read", "prima o dopo il documento XML c'è altro; conservato, non letto", "", "";
    XmlEncoding = "xml/encoding", Finding, "unexpected or wrong character encoding", "codifica dei caratteri inattesa o errata", "", "";
    DerMalformed = "der/malformed", Refused, "ASN.1 not readable", "ASN.1 non leggibile", "", "";
    DerTooDeep = "der/too-deep", Refused, "ASN.1 nested too deeply", "ASN.1 troppo annidato", "", "";
    P7mPlain = "p7m/plain", Finding, "the name says .p7m but the content is not signed", "il nome dice .p7m ma il contenuto non è firmato", "", "";
    P7mDetached = "p7m/detached", Refused, "signed data without content", "firma senza contenuto", "", "";
    P7mEncrypted = "p7m/encrypted", Refused, "encrypted, not signed", "cifrato, non firmato", "deposit it decrypted", "versarlo decifrato";
    P7mText = "p7m/text", Refused, "the name says .p7m but the content is plain text", "il nome dice .p7m ma il contenuto è semplice testo", "send the file as the signing program wrote it", "inviare il file così come lo ha scritto il programma di firma";
    P7mPlaceholder = "p7m/placeholder", Refused, "begins like signed data and is not: a placeholder", "comincia come una busta di firma ma non lo è: un segnaposto", "send the file as the signing program wrote it", "inviare il file così come lo ha scritto il programma di firma";
    P7mEmpty = "p7m/empty", Refused, "signed file without a byte in it", "file firmato senza alcun byte", "send it again", "inviarlo di nuovo";
    P7mShort = "p7m/too-short", Refused, "too short to be signed data", "troppo corto per essere una busta di firma", "send it again", "inviarlo di nuovo";
    P7mTruncated = "p7m/truncated", Refused, "signed data cut short", "busta di firma troncata", "send it again", "inviarlo di nuovo";
    P7mTooDeep = "p7m/too-deep", Refused, "signed more than five times over", "firmato più di cinque volte", "", "";
    InvoiceNamespace = "invoice/namespace", Finding, "namespace not as in the schema", "namespace diverso dallo schema", "", "";
    InvoiceField = "invoice/field", Finding, "a field is missing or not as in the schema", "campo mancante o non conforme allo schema", "", "";
    InvoiceName = "invoice/file-name", Finding, "the file name does not follow the SdI rule", "nome del file non conforme alla regola SdI", "", "";
    InvoiceTotalComputed = "invoice/total-computed", Finding, "the total is missing and was computed", "totale mancante, calcolato", "", "";
    InvoiceMissing = "invoice/missing", Finding, "a mandatory element is missing", "manca un elemento obbligatorio", "", "";
    InvoiceTwice = "invoice/element-twice", Finding, "an element that there is one of stands there more than once", "un elemento che dovrebbe essere unico compare più volte", "", "";
    InvoiceVersion = "invoice/version", Finding, "versione and FormatoTrasmissione do not go together", "versione e FormatoTrasmissione non si accordano", "SdI error 00428", "errore SdI 00428";
    InvoiceType = "invoice/document-type", Finding, "TipoDocumento unknown to the format", "TipoDocumento ignoto al formato", "", "";
    InvoiceNumber = "invoice/number", Finding, "Numero is not 1 to 20 characters with a digit", "Numero non di 1-20 caratteri con almeno una cifra", "SdI error 00425", "errore SdI 00425";
    InvoiceDate = "invoice/date", Finding, "Data is not a plausible date", "Data non plausibile", "", "";
    InvoiceBlanks = "invoice/blanks", Finding, "blanks around a value; read without them", "spazi attorno a un valore; letto senza", "", "";
    InvoiceIdentifier = "invoice/identifier", Finding, "a party without IdFiscaleIVA or CodiceFiscale", "una parte senza IdFiscaleIVA né CodiceFiscale", "SdI error 00417", "errore SdI 00417";
    InvoicePartyName = "invoice/party-name", Finding, "not either Denominazione or Nome and Cognome", "non Denominazione oppure Nome e Cognome", "", "";
    InvoiceVat = "invoice/vat-number", Finding, "the check digit of a VAT number does not fit", "la cifra di controllo di una partita IVA non torna", "", "";
    InvoiceAmount = "invoice/amount", Finding, "an amount is not written as the schema says", "importo non scritto come dice lo schema", "", "";
    InvoiceRecipient = "invoice/recipient-code", Finding, "CodiceDestinatario does not go with the format", "CodiceDestinatario non si accorda con il formato", "", "";
    InvoiceUnsigned = "invoice/unsigned", Finding, "an invoice to a public body without signature", "fattura verso la pubblica amministrazione senza firma", "", "";
    InvoiceAttachment = "invoice/attachment", Finding, "an attachment inside the file is empty or not base64 throughout", "un allegato interno è vuoto o non è tutto base64", "", "";
    InvoiceAttachmentName = "invoice/attachment-name", Finding, "the name of an attachment inside the file was made harmless", "il nome di un allegato interno è stato reso innocuo", "", "";
    InvoiceNotInvoice = "invoice/not-invoice", Refused, "not an electronic invoice", "non è una fattura elettronica", "", "";
    NotificationNot = "sdi/not-notification", Refused, "not an SdI notification", "non è una notifica SdI", "", "";
    NotificationField = "sdi/field", Finding, "a field of the notification is missing or not as in the schema", "campo della notifica mancante o non conforme allo schema", "", "";
    NotificationOffset = "sdi/no-offset", Finding, "an instant without offset; read as Europe/Rome", "un istante senza fuso; letto come Europe/Rome", "", "";
    NotificationNamespace = "sdi/variant-namespace", Finding, "the namespace once used by mistake (without gov)", "il namespace usato un tempo per errore (senza gov)", "", "";
    NotificationUnsigned = "sdi/unsigned", Finding, "a notification that SdI signs came without signature", "notifica che SdI firma giunta senza firma", "", "";
    IdentityField = "identity/field", Finding, "an identity field looks wrong", "un dato di identità sembra errato", "", "";
    IdentityExpired = "identity/expired", Finding, "the document had expired at the identification", "documento scaduto al momento dell'identificazione", "", "";
    IdentityMissing = "identity/missing", Finding, "a datum that this identification needs is missing", "manca un dato necessario a questa identificazione", "", "";
    IdentityIncomplete = "identity/incomplete", Finding, "parts of an identity file are missing", "mancano parti di un fascicolo di identificazione", "deposit them with the same `practice`", "versarle con la stessa `practice`";
    LegibleDamaged = "legible/damaged", Finding, "it cannot be read to its end", "non leggibile fino alla fine", "ask for it again while its source still has it", "richiederlo finché l'origine lo possiede";
    LegibleTooLarge = "legible/too-large", Finding, "an image larger than what is decoded", "immagine più grande di quanto viene decodificato", "", "";
    LegibleUnknown = "legible/not-decoded", Finding, "a form of this format that is not decoded here", "variante del formato che qui non viene decodificata", "", "";
    LegibleNoReader = "legible/no-reader", Finding, "there is no reader of this format here: whether it is legible is not known", "nessun lettore per questo formato: non si sa se sia leggibile", "open some of them with their own program, and note it", "aprirne alcuni con il loro programma, e annotarlo";
    LegibleEncrypted = "legible/encrypted", Finding, "encrypted: whoever reads it needs a password", "cifrato: per leggerlo serve una password", "deposit it without a password", "versarlo senza password";
    PecLogRows = "pec-log/rows", Finding, "rows that could not be read; kept", "righe non leggibili; conservate", "", "";
    PecLogNot = "pec-log/not-log", Refused, "not a log", "non è un log", "a log, or a declaration given with `no_traffic`", "un log, o una dichiarazione versata con `no_traffic`";
    PecLogFormat = "pec-log/format", Finding, "the layout of the log is not known", "tracciato del log sconosciuto", "see docs/manual.md for the layouts that are read; metadata `columns` names other headers", "vedere docs/manual.md per i tracciati letti; il metadato `columns` indica altre intestazioni";
    PecLogPeriod = "pec-log/period", Finding, "the period is not known or contradicted", "periodo ignoto o contraddetto", "give `day`, or `period_start` and `period_end`", "indicare `day`, oppure `period_start` e `period_end`";
    PecLogOrder = "pec-log/order", Finding, "events out of order", "eventi fuori ordine", "", "";
    PecLogEncoding = "pec-log/encoding", Finding, "rows in another character encoding", "righe in altra codifica di caratteri", "", "";
    PecLogInconsistent = "pec-log/inconsistent", Finding, "the rows of a transmission contradict one another", "le righe di una trasmissione si contraddicono", "", "";
    PecLogOpen = "pec-log/open", Finding, "transmissions that go beyond this log", "trasmissioni che proseguono oltre questo log", "", "";
    PecLogUnchecked = "pec-log/not-checked", Finding, "not checked beyond a bound", "non verificato oltre un limite", "", "";
    GzipMalformed = "gzip/malformed", Refused, "compressed data not readable", "dati compressi non leggibili", "", "";
    GzipBomb = "gzip/bomb", Refused, "compressed data that grow beyond every text", "dati compressi che crescono oltre ogni testo", "", "";
    PecLogLate = "pec-log/late", Finding, "deposited or time-stamped after its term", "versato o marcato temporalmente oltre il termine", "it is kept all the same; the delay stays on record", "è conservato comunque; il ritardo resta agli atti";
    PecLogNotDeposited = "pec-log/not-deposited", Finding, "the log has not been deposited", "il log non è stato versato", "deposit it, or a declaration that there was no traffic", "versarlo, o versare una dichiarazione di assenza di traffico";
    PecLogNotStamped = "pec-log/not-stamped", Finding, "the log is not time-stamped yet and its term is near or over", "il log non è ancora marcato temporalmente e il termine è vicino o scaduto", "run `custode seal`; see whether a time-stamping authority answers", "eseguire `custode seal`; verificare che un'autorità di marcatura risponda";
    PecLogGap = "pec-log/gap", Finding, "days without a log between the first and the last", "giorni senza log tra il primo e l'ultimo", "deposit them, or a declaration that there was no traffic", "versarli, o versare una dichiarazione di assenza di traffico";
    // -- zip archives deposited as many documents ----------------------------------------------------------------------
    ZipDamaged = "zip/damaged", Refused, "zip archive not readable", "archivio zip non leggibile", "send it again", "inviarlo di nuovo";
    ZipTrailing = "zip/trailing-bytes", Finding, "bytes after the end of the zip archive; passed over", "altri byte dopo la fine dell'archivio zip; ignorati", "", "";
    ZipLitter = "zip/left-out", Finding, "a member that a computer left there is not taken as a document; the archive's digest covers it", "un membro lasciato dal computer non è preso come documento; lo copre l'impronta dell'archivio", "", "";
    ZipVolumes = "zip/volumes", Refused, "one of several volumes of a split zip archive", "uno dei volumi di un archivio zip diviso", "join the volumes into one archive first", "riunire prima i volumi in un solo archivio";
    ZipEmpty = "zip/empty", Refused, "zip archive without a file in it", "archivio zip senza alcun file", "", "";
    ZipTooMany = "zip/too-many", Refused, "more members than a deposit may have files", "più membri dei file ammessi in un versamento", "split it, or see intake.max_files in custode.toml", "dividerlo, o vedere intake.max_files in custode.toml";
    ZipBomb = "zip/bomb", Refused, "expands to more than is allowed", "si espande oltre quanto ammesso", "deposit the files themselves, or see intake.max_deposit in custode.toml", "versare i singoli file, o vedere intake.max_deposit in custode.toml";
    ZipTooDeep = "zip/too-deep", Refused, "a zip inside the zip that is not an AT archive of SdI", "uno zip dentro lo zip che non è un archivio AT di SdI", "deposit the inner archive by itself", "versare a parte l'archivio interno";
    ZipName = "zip/name", Refused, "a member's name leads outside or cannot be kept", "il nome di un membro porta fuori o non può essere conservato", "", "";
    ZipDuplicate = "zip/duplicate", Refused, "two members have the same name", "due membri hanno lo stesso nome", "", "";
    ZipEncrypted = "zip/encrypted", Refused, "an encrypted member", "un membro cifrato", "deposit it without password", "versarlo senza password";
    ZipMethod = "zip/method", Refused, "a compression method that is not read here", "metodo di compressione non letto", "use deflate", "usare deflate";
    ZipOverlap = "zip/overlap", Refused, "members that share bytes", "membri che condividono byte", "", "";
    ZipSize = "zip/size", Refused, "a member is not as long as it says, or its checksum is wrong", "un membro non è lungo quanto dichiara, o la sua somma di controllo è errata", "send it again", "inviarlo di nuovo";
    ZipMember = "zip/member", Refused, "a member that is neither invoice nor notification", "un membro che non è né fattura né notifica", "class generic keeps a zip whole", "la classe generic conserva lo zip intero";
    AggregationNot = "aggregation/not", Refused, "not an aggregation", "non è un'aggregazione documentale", "see the manual, Aggregations, for its shape", "vedere il manuale, Aggregazioni, per la forma";
    AggregationField = "aggregation/field", Finding, "an element of the aggregation is missing or does not fit", "un elemento dell'aggregazione manca o non è coerente", "", "";
    AggregationMember = "aggregation/member-unknown", Finding, "a member that this archive does not hold", "un membro che l'archivio non conserva", "deposit the member first, then a new version of the aggregation", "versare prima il membro, poi una nuova versione dell'aggregazione";
    AggregationVersion = "aggregation/version", Finding, "the version before is not held, or is not the one before", "la versione precedente non è conservata o non è quella precedente", "", "";
    RetentionStart = "retention/start", Finding, "a date that does not start the term of keeping", "una data che non fa decorrere il termine di conservazione", "the term runs from acceptance; where the class does not allow that it does not run, and nothing is disposed of", "il termine decorre dall'accettazione; dove la classe non lo ammette non decorre, e nulla viene scartato";
    // -- conversations and exchanges -----------------------------------------------------------------------------------
    ConversationNoAcceptance = "conversation/acceptance-missing", Finding, "the acceptance of a message is not held", "manca la ricevuta di accettazione di un messaggio", "ask the provider for it, and deposit it", "chiederla al gestore e versarla";
    ConversationIncomplete = "conversation/incomplete", Finding, "receipts expected of a sent message are missing after their time", "mancano oltre i termini ricevute attese di un messaggio inviato", "see `custode show` of that document; ask the provider, whose log is kept 30 months", "vedere `custode show` di quel documento; chiedere al gestore, che conserva i log 30 mesi";
    ConversationContradicts = "conversation/contradiction", Finding, "receipts of one transmission contradict each other", "ricevute della stessa trasmissione si contraddicono", "", "";
    ConversationDuplicate = "conversation/duplicate", Finding, "more receipts than one of what happens once", "più ricevute di ciò che avviene una sola volta", "", "";
    ConversationStranger = "conversation/stranger", Finding, "an outcome for somebody who is not a certified recipient of the message", "un esito per chi non è destinatario certificato del messaggio", "", "";
    ConversationEarly = "conversation/before-acceptance", Finding, "an outcome dated before the acceptance", "un esito datato prima dell'accettazione", "", "";
    ConversationRecipients = "conversation/recipients-differ", Finding, "certified data of one transmission list different recipients", "i dati di certificazione di una stessa trasmissione elencano destinatari diversi", "", "";
    ConversationCase = "conversation/case", Finding, "identifiers differ in upper and lower case only; taken as one", "gli identificativi differiscono solo per maiuscole e minuscole; considerati uguali", "", "";
    ConversationBreve = "conversation/breve-mismatch", Finding, "the hashes of a breve receipt are not those of the original held", "le impronte di una ricevuta breve non sono quelle dell'originale conservato", "", "";
    ConversationBrevePart = "conversation/breve-incomplete", Finding, "a breve receipt does not hold a hash of every file of the original held: the others are not certified", "una ricevuta breve non riporta un'impronta per ogni file dell'originale conservato: gli altri non sono certificati", "", "";
    ConversationUnsigned = "conversation/unsigned", Finding, "a message that a provider signs came without signature: it decides nothing", "un messaggio che il gestore firma è giunto senza firma: non decide nulla", "ask the sender's provider for the receipt itself, and deposit it", "chiedere al gestore la ricevuta originale e versarla";
    ConversationInvalid = "conversation/signature-invalid", Finding, "a message of a provider whose signature is not valid: it decides nothing", "un messaggio del gestore con firma non valida: non decide nulla", "ask the provider for the message itself, and deposit it", "chiedere al gestore il messaggio originale e versarlo";
    ConversationUntrusted = "conversation/untrusted", Finding, "a message signed by nobody whom the archive believes, or in a way it cannot verify: it decides nothing", "un messaggio firmato da chi l'archivio non riconosce, o in modo non verificabile: non decide nulla", "see [trust] in custode.toml: the anchors of PEC providers may be incomplete", "vedere [trust] in custode.toml: le autorità dei gestori PEC possono essere incomplete";
    ExchangeHash = "sdi/hash-mismatch", Finding, "the hash in a notification is not that of the invoice file held", "l'impronta in una notifica non è quella del file fattura conservato", "", "";
    ExchangeName = "sdi/name-mismatch", Finding, "a notification names another file than the invoice it is tied to", "una notifica indica un file diverso dalla fattura a cui è legata", "", "";
    ExchangeUnproved = "sdi/not-proved", Finding, "a notification without a signature that can be verified: what it says is shown, and is not proved", "una notifica senza una firma verificabile: quanto dice è mostrato, e non è provato", "", "";
    ExchangeInvalid = "sdi/signature-invalid", Finding, "a notification whose signature is not valid: it decides nothing", "una notifica con firma non valida: non decide nulla", "ask the exchange system or the channel for the notification itself", "chiedere al Sistema di Interscambio o al canale la notifica originale";
    ExchangeAmbiguous = "sdi/ambiguous", Finding, "a notification that may be of several files of one name that differ: it decides nothing", "una notifica che può riferirsi a più file con lo stesso nome e diversi tra loro: non decide nulla", "compare the identifiers SdI gave each file", "confrontare gli identificativi che lo SdI ha dato a ciascun file";
    ExchangeContradicts = "sdi/contradiction", Finding, "notifications of one invoice file contradict each other", "notifiche dello stesso file fattura si contraddicono", "", "";
    // -- journal -------------------------------------------------------------------------------------------------------
    JournalDamaged = "journal-damaged", Damage, "the intake journal is damaged", "il giornale di accettazione è danneggiato", "do not delete it; restore that file from a copy", "non cancellarlo; ripristinare quel file da una copia";
    JournalTail = "journal-tail", Finding, "an unfinished last batch was set aside", "un ultimo lotto incompleto è stato messo da parte", "see quarantine/", "vedere quarantine/";
    JournalBody = "journal-body", Damage, "a large body of the journal is missing or altered", "un contenuto grande del giornale manca o è alterato", "restore that file from a copy", "ripristinare quel file da una copia";
    ReceiptMismatch = "receipt-mismatch", Damage, "a document does not match its receipt", "un documento non corrisponde al suo rapporto di versamento", "it stays in the journal; see the report", "resta nel giornale; vedere il rapporto";
    // -- chain and records ---------------------------------------------------------------------------------------------
    ChainAltered = "chain-altered", Damage, "the chain is altered", "la catena è alterata", "restore chain/ from a copy", "ripristinare chain/ da una copia";
    ChainBehind = "chain-behind", Damage, "the chain and its checkpoint differ", "la catena e il suo checkpoint differiscono", "restore chain/ from a copy", "ripristinare chain/ da una copia";
    CheckpointBad = "checkpoint-bad", Damage, "the checkpoint does not verify", "il checkpoint non si verifica", "restore chain/checkpoint from a copy", "ripristinare chain/checkpoint da una copia";
    TileAltered = "tile-altered", Damage, "a derived tile is altered", "una tessera derivata è alterata", "it can be derived again from chain/entries", "si può derivare di nuovo da chain/entries";
    RecordAltered = "record-altered", Damage, "a record is altered or missing", "un atto registrato è alterato o mancante", "restore records/ from a copy", "ripristinare records/ da una copia";
    RecordUnchained = "record-unchained", Damage, "a record without its entry on the chain; it has no effect", "un atto senza la sua riga nella catena; non ha effetto", "", "";
    ChainPending = "chain-pending", Finding, "an append was interrupted", "una registrazione è stata interrotta", "any writing command completes it", "la completa qualunque comando che scriva";
    ChainMoved = "chain/moved", Conflict, "the chain has grown meanwhile", "nel frattempo la catena è cresciuta", "try again", "riprovare";
    ChainClosed = "chain/closed", Unavailable, "the chain takes no entries after an error", "la catena non accetta righe dopo un errore", "see the log for the first error; the archive must be opened again", "vedere il primo errore nel log; riaprire l'archivio";
    ChainForked = "chain-forked", Damage, "two histories: the chain and a checkpoint that bears the archive's mark differ", "due storie: la catena e un checkpoint con il contrassegno dell'archivio differiscono", "keep both as evidence; restore the archive whose chain holds that checkpoint", "conservare entrambi come prova; ripristinare l'archivio la cui catena contiene quel checkpoint";
    ArchiveRestored = "archive/restored", Unavailable, "this is an older state of the archive: more was witnessed than its chain holds", "è uno stato precedente dell'archivio: è stato testimoniato più di quanto la catena contenga", "nothing is appended; bring back the newest copy, or declare the loss with `custode restore declare --reason …`", "nulla viene aggiunto; riportare la copia più recente, o dichiarare la perdita con `custode restore declare --reason …`";
    ArchiveForked = "archive/forked", Unavailable, "two histories: the archive signed a checkpoint that its chain does not hold", "due storie: l'archivio ha contrassegnato un checkpoint che la sua catena non contiene", "nothing is appended; keep both as evidence and bring back the archive whose chain holds that checkpoint", "nulla viene aggiunto; conservare entrambe come prova e riportare l'archivio la cui catena contiene quel checkpoint";
    RestoreDeclared = "archive/restore-declared", Finding, "of the history that a declared restoration gave up", "della storia a cui un ripristino dichiarato ha rinunciato", "see the entry of kind restore", "vedere la riga di tipo restore";
    RestoreNothing = "archive/nothing-restored", Conflict, "there is nothing to declare: the chain holds all that is known to have been witnessed", "nulla da dichiarare: la catena contiene tutto ciò che risulta testimoniato", "", "";
    // -- witnesses -----------------------------------------------------------------------------------------------------
    WitnessRequest = "witness/malformed", Usage, "not a request to add a checkpoint", "non è una richiesta di aggiunta di un checkpoint", "see C2SP tlog-witness", "vedere C2SP tlog-witness";
    WitnessLog = "witness/unknown-log", NotFound, "this witness was not told of that log", "questo testimone non conosce quel registro", "start it with --log VKEY", "avviarlo con --log VKEY";
    WitnessSignature = "witness/not-signed", Forbidden, "no known key of the log signed it", "non è firmato da una chiave nota del registro", "check the key given with --log", "controllare la chiave data con --log";
    WitnessInconsistent = "witness/inconsistent", Refused, "the checkpoint does not continue the one seen before", "il checkpoint non prosegue quello visto prima", "the log has two histories: keep both checkpoints as evidence", "il registro ha due storie: conservare entrambi i checkpoint come prova";
    WitnessDamaged = "witness/damaged", Damage, "what the witness kept is altered", "quanto conservato dal testimone è alterato", "restore it from a copy; it cosigns nothing meanwhile", "ripristinarlo da una copia; nel frattempo non firma nulla";
    WitnessDown = "witness/down", Unavailable, "the witness did not answer well", "il testimone non ha risposto correttamente", "it is asked again; sealing does not wait for it", "sarà interrogato di nuovo; la sigillatura non lo attende";
    WitnessMissing = "witness/not-cosigned", Finding, "what was sealed has not been cosigned by a witness", "quanto sigillato non è stato controfirmato da un testimone", "see [[witness]] in custode.toml and the log", "vedere [[witness]] in custode.toml e il log";
    WitnessForgot = "witness/forgot", Finding, "a witness no longer knew what it had cosigned", "un testimone non ricordava più quanto aveva controfirmato", "its folder was put back from an older copy, or was lost: until it was told again it would have cosigned another history; ask its operator what happened, and have a second witness", "la sua cartella è stata ripristinata da una copia più vecchia, o è andata perduta: finché non ne è stato informato avrebbe controfirmato un'altra storia; chiedere al suo gestore che cosa è accaduto, e avere un secondo testimone";
    NoticeFailed = "notice/not-told", Unavailable, "somebody cannot be told of alarms", "qualcuno non può essere avvisato degli allarmi", "see [alarms] in custode.toml; `custode alarms test` tries again; what waits is told when it works", "vedere [alarms] in custode.toml; `custode alarms test` riprova; quanto è in attesa sarà inviato quando funziona";
    WitnessKey = "witness/unknown-key", Finding, "a witness has seen the archive under a key that this chain does not know", "un testimone ha visto l'archivio con una chiave che questa catena non conosce", "an older state of the archive, from before a change of key, or a witness that is not to be believed: stop, and look for a newer copy", "uno stato precedente dell'archivio, anteriore a un cambio di chiave, o un testimone non attendibile: fermarsi e cercare una copia più recente";
    CosignatureBad = "witness/cosignature-bad", Damage, "a cosignature does not verify", "la controfirma di un testimone non si verifica", "the witness is asked anew after the file was moved away", "spostato il file, il testimone sarà interrogato di nuovo";
    ClockOffset = "clock-offset", Finding, "this machine's clock and a time-stamping authority disagree", "l'orologio della macchina e un'autorità di marcatura discordano", "look at NTP; see tsa.max_offset in custode.toml", "controllare NTP; vedere tsa.max_offset in custode.toml";
    StampLate = "chain/stamp-late", Finding, "the chain has not been time-stamped for too long", "la catena non riceve una marca temporale da troppo tempo", "see the log: no authority answers, or nightly does not run", "vedere il log: nessuna autorità risponde, o nightly non viene eseguito";
    EntryTooLarge = "chain/entry-too-large", Io, "the entry is larger than 60 KB", "la riga supera 60 KB", "", "";
    // -- packages ------------------------------------------------------------------------------------------------------
    PackageMissing = "package-missing", Damage, "a sealed package is missing", "manca un pacchetto sigillato", "restore it from a copy", "ripristinarlo da una copia";
    PackageFileMissing = "package-file-missing", Damage, "a file of a sealed package is missing", "manca un file di un pacchetto sigillato", "restore it from a copy", "ripristinarlo da una copia";
    PackageFileAltered = "package-file-altered", Damage, "a file of a sealed package is altered", "un file di un pacchetto sigillato è alterato", "restore it from a copy", "ripristinarlo da una copia";
    /// What a sealing kept under `staging/` is not what this archive wrote there.
    StagingAltered = "staging-altered", Damage, "the plan of a package being made is not what the archive wrote", "il piano di un pacchetto in formazione non è quello scritto dall'archivio", "move the folder staging/ out of the archive and keep it as evidence: the documents are planned anew", "spostare la cartella staging/ fuori dall'archivio e conservarla come prova: i documenti saranno pianificati di nuovo";
    PackageForeign = "package-foreign-file", Damage, "a file that does not belong to the package", "un file estraneo al pacchetto", "move it away after finding out whose it is", "spostarlo dopo averne accertato l'origine";
    PackageUnknown = "package-unknown", Damage, "a package folder that the chain does not know", "una cartella di pacchetto ignota alla catena", "move it away after finding out whose it is", "spostarla dopo averne accertato l'origine";
    ContentAltered = "content-altered", Damage, "a document's bytes are not those acknowledged", "i byte di un documento non sono quelli accettati", "restore the package from a copy", "ripristinare il pacchetto da una copia";
    ContentMissing = "content-missing", Damage, "a document listed by the index is not in the content", "un documento elencato nell'indice non è nel contenuto", "restore the package from a copy", "ripristinare il pacchetto da una copia";
    PIndexInvalid = "pindex-invalid", Damage, "PIndex.xml is not as UNI 11386:2020 says", "PIndex.xml non conforme a UNI 11386:2020", "", "";
    PIndexDisagrees = "pindex-disagrees", Damage, "PIndex.xml disagrees with content or chain", "PIndex.xml discorda da contenuto o catena", "", "";
    TocDisagrees = "toc-disagrees", Damage, "the table of contents disagrees with the content", "l'indice interno discorda dal contenuto", "", "";
    NumbersDisagree = "numbers-disagree", Damage, "lane numbers are missing, doubled or disagree", "numeri di corsia mancanti, doppi o discordi", "", "";
    SeriesBroken = "series-broken", Damage, "the hash chain of a series is broken", "la catena di una serie è interrotta", "", "";
    ModeBits = "mode-bits", Finding, "a file of a sealed package can be written", "un file di un pacchetto sigillato è scrivibile", "chmod 0444", "chmod 0444";
    // -- evidence ------------------------------------------------------------------------------------------------------
    EvidenceAltered = "evidence-altered", Damage, "an evidence record does not verify", "un'evidenza non si verifica", "restore the package from a copy", "ripristinare il pacchetto da una copia";
    EvidenceMalformed = "evidence/malformed", Damage, "not an RFC 4998 evidence record in DER", "non è un'evidenza RFC 4998 in DER", "restore the package from a copy", "ripristinare il pacchetto da una copia";
    EvidenceLength = "evidence/length-form", Damage, "an indefinite or needlessly long length in an evidence record", "lunghezza indefinita o inutilmente estesa in un'evidenza", "ask whoever made it for DER", "chiedere il DER a chi l'ha prodotta";
    EvidenceTrailing = "evidence/trailing-bytes", Damage, "bytes after the end of an evidence record or of a part of it", "byte oltre la fine di un'evidenza o di una sua parte", "", "";
    EvidenceDeep = "evidence/too-deep", Damage, "a hash tree with more levels than any archive needs", "albero di impronte con più livelli di quanti servano a un archivio", "", "";
    EvidenceLarge = "evidence/too-large", Damage, "an evidence record larger than is read", "evidenza più grande di quanto si legge", "", "";
    EvidenceUnsorted = "evidence/unsorted", Damage, "hashes of an evidence record were not taken in ascending order", "le impronte di un'evidenza non sono state prese in ordine crescente", "", "";
    EvidenceMixed = "evidence/algorithms-mixed", Damage, "digest algorithms are mixed inside a chain of an evidence record", "algoritmi di impronta diversi nella stessa catena di un'evidenza", "", "";
    EvidenceTimes = "evidence/times", Damage, "the times of an evidence record's time-stamps do not increase", "i riferimenti temporali delle marche di un'evidenza non crescono", "", "";
    EvidenceAlgorithm = "evidence/algorithm-unknown", Finding, "evidence in a digest algorithm that cannot be judged here", "evidenza con un algoritmo di impronta che qui non si può giudicare", "verify with a newer version", "verificare con una versione più recente";
    RenewalLate = "renewal/late", Finding, "evidence cannot be renewed before what it rests on ends, or is overdue", "l'evidenza non può essere rinnovata prima che scada ciò su cui poggia, o il rinnovo è in ritardo", "run `custode renew --plan`, then `custode renew`", "eseguire `custode renew --plan`, poi `custode renew`";
    RenewalUntrusted = "renewal/untrusted", Finding, "evidence that no configured anchor proves", "evidenza che nessuna ancora configurata prova", "configure tsa.anchors, or cover it with `custode renew --restamp`", "configurare tsa.anchors, o coprirla con `custode renew --restamp`";
    RenewalKey = "renewal/key-ended", Finding, "the authority signs with a kind of key whose term has ended", "l'autorità firma con un tipo di chiave il cui termine è passato", "ask the authority for a stronger key, or configure another", "chiedere all'autorità una chiave più robusta, o configurarne un'altra";
    RenewalGap = "renewal/gap", Finding, "evidence was renewed only after the certificate of the time-stamp before had ended", "l'evidenza è stata rinnovata solo dopo la scadenza del certificato della marca precedente", "nothing to do now: the record says when", "nulla da fare ora: l'evidenza dice quando";
    TokenInvalid = "timestamp-invalid", Damage, "a time-stamp does not verify", "una marca temporale non si verifica", "", "";
    StampNonce = "timestamp/nonce", Damage, "the time-stamp answers another request: its nonce is missing or another", "la marca temporale risponde a un'altra richiesta: nonce assente o diverso", "", "";
    StampImprint = "timestamp/imprint", Damage, "the time-stamp covers something else", "la marca temporale riguarda altro", "", "";
    StampPolicy = "timestamp/policy", Damage, "the time-stamp was made under another policy", "la marca temporale segue un'altra policy", "see tsa.authorities.policy in custode.toml", "vedere tsa.authorities.policy in custode.toml";
    StampExpired = "timestamp/certificate-expired", Damage, "a certificate of the time-stamping authority had expired at the time of the token", "un certificato dell'autorità di marcatura era scaduto al momento della marca", "", "";
    StampNotYet = "timestamp/certificate-not-yet-valid", Damage, "a certificate of the time-stamping authority was not valid yet at the time of the token", "un certificato dell'autorità di marcatura non era ancora valido al momento della marca", "", "";
    StampPurpose = "timestamp/certificate-purpose", Damage, "the certificate is not one for time-stamping alone", "il certificato non è riservato alla marcatura temporale", "", "";
    StampNoCertificate = "timestamp/certificate-missing", Damage, "the time-stamp came without its signer's certificate", "la marca temporale è arrivata senza il certificato del firmatario", "", "";
    StampOtherCertificate = "timestamp/certificate-other", Damage, "the time-stamp names another certificate than the one it verifies with, or none", "la marca temporale indica un certificato diverso da quello con cui si verifica, o nessuno", "", "";
    StampSigners = "timestamp/signers", Damage, "a time-stamp has one signer, this one has not", "una marca temporale ha un solo firmatario, questa no", "", "";
    StampWeak = "timestamp/weak", Damage, "the time-stamp rests on an algorithm or key that is no longer acceptable", "la marca temporale si basa su un algoritmo o una chiave non più accettabili", "", "";
    StampTime = "timestamp/time", Damage, "the time of the token is not when it was asked for", "l'ora della marca non è quella della richiesta", "look at this machine's clock first (NTP)", "controllare anzitutto l'orologio della macchina (NTP)";
    StampAccuracy = "timestamp/accuracy", Damage, "the time-stamp is not accurate enough", "la marca temporale non è abbastanza accurata", "see tsa.max_accuracy in custode.toml", "vedere tsa.max_accuracy in custode.toml";
    StampSerial = "timestamp/serial", Damage, "the authority used a serial number for two time-stamps", "l'autorità ha usato un numero di serie per due marche", "", "";
    StampNotQualified = "timestamp/not-qualified", Damage, "no trusted list says that the time-stamp is qualified", "nessun elenco di fiducia indica la marca temporale come qualificata", "see tsa.require_qualified and [trust] in custode.toml", "vedere tsa.require_qualified e [trust] in custode.toml";
    TsaRefused = "tsa-refused", Unavailable, "the time-stamping authority refuses the request", "l'autorità di marcatura rifiuta la richiesta", "sealing waits; see the reason, which is the authority's", "la sigillatura attende; vedere il motivo indicato dall'autorità";
    TokenUntrusted = "timestamp-untrusted", Finding, "a time-stamp is not from a configured anchor", "una marca temporale non risale a un'ancora configurata", "give --trust, or configure tsa.anchors", "indicare --trust o configurare tsa.anchors";
    TsaDown = "tsa-down", Unavailable, "no time-stamping authority answered well", "nessuna autorità di marcatura ha risposto correttamente", "sealing waits; intake goes on", "la sigillatura attende; l'accettazione prosegue";
    SignerDown = "signer-down", Unavailable, "the signer cannot be reached, or does not do what is asked of it", "il firmatario non è raggiungibile o non fa ciò che gli si chiede", "see [signer] in custode.toml and the device; sealing waits, intake goes on", "vedere [signer] in custode.toml e il dispositivo; la sigillatura attende, l'accettazione prosegue";
    SignerSlow = "signer-slow", Unavailable, "the signer has not answered in time", "il firmatario non ha risposto in tempo", "look at the device, or raise signer.timeout; sealing waits, intake goes on", "controllare il dispositivo o alzare signer.timeout; la sigillatura attende, l'accettazione prosegue";
    SignerPin = "signer-pin", Unavailable, "PIN or password of the signer refused", "PIN o password del firmatario rifiutati", "correct it where [signer] says it is, then start again; the same PIN is not tried twice, so that the token is not locked", "correggerlo dove indica [signer] e riavviare; lo stesso PIN non è tentato due volte, per non bloccare il dispositivo";
    SignerKey = "signer-key", Unavailable, "no key of the signer that goes with its certificate", "nessuna chiave del firmatario che corrisponda al suo certificato", "see [signer] in custode.toml: RSA of 2048 bits or more, or ECDSA P-256", "vedere [signer] in custode.toml: RSA di almeno 2048 bit o ECDSA P-256";
    SignerExpired = "signer-expired", Unavailable, "the signer's certificate is not valid now", "il certificato del firmatario ora non è valido", "configure one that is valid in [signer]; sealing waits, intake goes on", "configurarne uno valido in [signer]; la sigillatura attende, l'accettazione prosegue";
    SignerRevoked = "signer-revoked", Unavailable, "the signer's certificate is revoked", "il certificato del firmatario è revocato", "configure another one in [signer]; in production sealing waits, intake goes on", "configurarne un altro in [signer]; in produzione la sigillatura attende, l'accettazione prosegue";
    SignerExpiring = "signer-expiring", Finding, "the signer's certificate expires soon", "il certificato del firmatario scade tra poco", "ask for a new one in time and configure it in [signer]", "richiederne per tempo uno nuovo e configurarlo in [signer]";
    SignerMismatch = "signer-mismatch", Config, "the signer's certificate is of none of those who may sign", "il certificato del firmatario non è di nessuno dei soggetti autorizzati a firmare", "make [[signers]] name who holds the certificate, by tax code, VAT number or name, or configure the certificate of who is named", "indicare in [[signers]] il titolare del certificato, per codice fiscale, partita IVA o nome, o configurare il certificato di chi vi è indicato";
    SignatureRequired = "signature-required", Unavailable, "the closing rule requires a signature of the index, and no signer is configured", "la regola di chiusura richiede la firma dell'indice, e nessun firmatario è configurato", "configure [signer]; the documents wait, intake goes on", "configurare [signer]; i documenti attendono, l'accettazione prosegue";
    SignatureWaiting = "signature-waiting", Finding, "a package waits for the signature of its index", "un pacchetto attende la firma del suo indice", "see [signer]; nothing is lost meanwhile", "vedere [signer]; nel frattempo nulla si perde";
    SignatureStranger = "signature/not-authorised", Finding, "signed by none of the AuthorizedSigners of the index", "firmato da nessuno degli AuthorizedSigner dell'indice", "find out who signed, and with what right", "accertare chi ha firmato e a che titolo";
    SignatureInvalid = "signature-invalid", Damage, "a signature or technical integrity mark does not verify", "una firma o un contrassegno tecnico di integrità non si verifica", "", "";
    SignatureWeak = "signature/weak-digest", Finding, "valid, with a weak digest", "valida, con impronta debole", "", "";
    SignatureWeakKey = "signature/weak-key", Finding, "valid, with an RSA key shorter than 2048 bits", "valida, con chiave RSA inferiore a 2048 bit", "", "";
    SignatureDigest = "signature/digest", Finding, "the content is not what was signed", "il contenuto non è quello firmato", "", "";
    SignatureMath = "signature/math", Finding, "the signature does not verify with the signer's key", "la firma non si verifica con la chiave del firmatario", "", "";
    SignatureAlgorithm = "signature/algorithm", Finding, "signed with an algorithm that is not known here", "firmato con un algoritmo non conosciuto", "", "";
    SignatureNoCertificate = "signature/certificate-missing", Finding, "the signer's certificate is not there", "manca il certificato del firmatario", "", "";
    SignatureOtherCertificate = "signature/certificate-other", Finding, "the signature names another certificate than the one it verifies with", "la firma indica un certificato diverso da quello con cui si verifica", "", "";
    SignatureNotCades = "signature/not-cades", Finding, "nothing signed names the certificate: a plain signature, not CAdES or XAdES", "nulla di firmato indica il certificato: firma semplice, non CAdES o XAdES", "", "";
    SignatureAddress = "signature/address", Finding, "the certificate's address is not the sender's", "l'indirizzo del certificato non è quello del mittente", "", "";
    SignatureProfile = "signature/profile", Finding, "the certificate is not as the rules for this use say", "il certificato non è conforme alle regole per questo uso", "", "";
    SignatureChainNotChecked = "signature/chain-not-checked", Finding, "no trust anchors are configured for this use: the chain was not judged", "nessuna ancora di fiducia configurata per questo uso: catena non giudicata", "see [trust] in custode.toml", "vedere [trust] in custode.toml";
    SignatureUntrusted = "signature/untrusted", Finding, "nothing leads to a configured anchor", "nessun percorso porta a un'ancora configurata", "see [trust] in custode.toml", "vedere [trust] in custode.toml";
    SignatureIssuerMissing = "signature/issuer-missing", Finding, "an intermediate certificate is missing", "manca un certificato intermedio", "add it to [trust], or ask the producer for it", "aggiungerlo a [trust] o chiederlo al produttore";
    SignatureExpired = "signature/expired", Finding, "a certificate had expired at the time of reference", "un certificato era scaduto al momento di riferimento", "", "";
    SignatureNotYetValid = "signature/not-yet-valid", Finding, "a certificate was not valid yet at the time of reference", "un certificato non era ancora valido al momento di riferimento", "", "";
    SignatureNameConstraint = "signature/name-constraint", Finding, "a name is outside what its authority may certify", "un nome è fuori da ciò che l'autorità può certificare", "", "";
    SignaturePath = "signature/path", Finding, "the certificate path breaks a rule of RFC 5280", "il percorso di certificazione viola una regola della RFC 5280", "", "";
    SignatureRevoked = "signature/revoked", Finding, "the certificate was revoked at the time of reference", "il certificato era revocato al momento di riferimento", "see `at_sealing` of `custode show`; whoever relies on the document must know", "vedere `at_sealing` di `custode show`; chi si avvale del documento deve saperlo";
    RevocationMissing = "signature/revocation-missing", Finding, "no revocation data: whether the certificate was revoked is not known", "nessun dato di revoca: non si sa se il certificato fosse revocato", "see [revocation] in custode.toml", "vedere [revocation] in custode.toml";
    RevocationDown = "revocation/source-down", Unavailable, "a source of revocation data did not answer well", "una fonte di dati di revoca non ha risposto correttamente", "it is asked again later; sealing does not wait for it", "sarà interrogata di nuovo; la sigillatura non la attende";
    RevocationRefused = "revocation/not-accepted", Finding, "no revocation data to rely upon: none answered, expired, of another certificate, or not signed by the issuer", "nessun dato di revoca utilizzabile: assenti, scaduti, di un altro certificato o non firmati dall'emittente", "", "";
    RevocationHost = "revocation/host-not-listed", Finding, "a source of revocation data on a host that is not listed", "fonte di dati di revoca su un host non elencato", "see [revocation] hosts in custode.toml", "vedere [revocation] hosts in custode.toml";
    SignatureTimeNotProved = "signature/time-not-proved", Finding, "mathematically valid, time not proved: only the signer says when", "matematicamente valida, momento non provato: lo dichiara solo il firmatario", "", "";
    SignatureTimeAbsent = "signature/time-absent", Finding, "no signing time, which is required (SdI 00103)", "manca la data di firma, obbligatoria (SdI 00103)", "", "";
    SignatureTimeLate = "signature/time-late", Finding, "the signing time is later than the reception (SdI 00105)", "la data di firma è successiva alla ricezione (SdI 00105)", "", "";
    SignatureStamp = "signature/time-stamp", Finding, "a time-stamp of the signature does not verify", "una marca temporale della firma non si verifica", "", "";
    SignatureEmpty = "signature/empty", Finding, "an empty signature", "firma vuota", "", "";
    SignaturePlaceholder = "signature/placeholder", Finding, "text in the place of a signature: neither ASN.1 nor base64", "testo al posto della firma: né ASN.1 né base64", "", "";
    SignatureNotCms = "signature/not-cms", Finding, "not CMS signed data", "non è CMS SignedData", "", "";
    SignatureCut = "signature/cut-short", Finding, "the signature ends too early", "la firma finisce troppo presto", "", "";
    SignatureMissing = "signature/missing", Finding, "the signature is missing", "manca la firma", "", "";
    SignatureTrailing = "signature/trailing-bytes", Finding, "bytes follow the signed data; they are not signed", "altri byte seguono i dati firmati; non sono firmati", "", "";
    SignatureAttributeOrder = "signature/attribute-order", Finding, "valid, with signed attributes out of DER order", "valida, con attributi firmati fuori dall'ordine DER", "", "";
    SignatureSeveral = "signature/several", Finding, "several signers where one is expected", "più firmatari dove ne è atteso uno", "", "";
    SignatureReference = "signature/reference", Finding, "the signature covers something else than the whole document", "la firma copre altro rispetto all'intero documento", "", "";
    SignatureUnsupported = "signature/unsupported", Finding, "a kind of XML signature that is not read here", "tipo di firma XML non supportato", "", "";
    TrustListUnchecked = "trust/list-unchecked", Finding, "the signature of a trusted list was not checked: no certificate for it is configured", "firma di un elenco di fiducia non verificata: nessun certificato configurato", "see [trust] in custode.toml", "vedere [trust] in custode.toml";
    // -- vault and catalog ---------------------------------------------------------------------------------------------
    VaultMissing = "vault-missing", Unavailable, "the vault is not mounted", "il deposito non è montato", "mount it", "montarlo";
    VaultOther = "vault/other", Unavailable, "another vault stands in the place of this one", "al posto di questo deposito ce n'è un altro", "mount the right disk there, or put the right path into custode.toml", "montare lì il disco giusto, o correggere il percorso in custode.toml";
    CopyBehind = "copies/behind", Finding, "a vault does not have all copies yet", "un deposito non ha ancora tutte le copie", "it catches up by itself after the next seal and at night, when it can be written; or run `custode repair`", "recupera da sé dopo la prossima sigillatura e di notte, quando è scrivibile; oppure eseguire `custode repair`";
    CopyBad = "copies/bad", Finding, "a copy of a package is bad; another one was read instead", "una copia di un pacchetto è danneggiata; è stata letta un'altra", "run `custode repair`", "eseguire `custode repair`";
    CopiesFew = "copies/few", Finding, "fewer than three copies, or fewer than two sites", "meno di tre copie, o meno di due sedi", "add [[vault]] tables on other disks and at other sites to custode.toml", "aggiungere a custode.toml tabelle [[vault]] su altri dischi e in altre sedi";
    CopiesTooFew = "copies/too-few", Config, "a production archive needs two vaults at two sites, or a derogation by its manager", "un archivio di produzione richiede due depositi in due sedi, o una deroga del responsabile", "add [[vault]] tables to custode.toml, or have the manager record a derogation: `custode vault derogate`", "aggiungere tabelle [[vault]] a custode.toml, o far registrare una deroga al responsabile: `custode vault derogate`";
    CopiesLost = "copies/none-good", Damage, "no good copy is left", "non resta alcuna copia integra", "restore the file from a backup; its SHA-256 is on the chain", "ripristinare il file da un backup; il suo SHA-256 è sulla catena";
    VaultChanged = "vault/changed", Finding, "the vaults in custode.toml are others than before", "i depositi in custode.toml non sono quelli di prima", "noted on the chain; make sure that somebody meant it", "annotato sulla catena; accertarsi che sia voluto";
    ReportAltered = "report-altered", Damage, "a report of a check is not the one that the chain names", "il rapporto di una verifica non è quello che la catena nomina", "put it back from a backup; its SHA-256 is in the entry of the check", "ripristinarlo da un backup; il suo SHA-256 è nella voce della verifica";
    QuarantineAltered = "quarantine-altered", Damage, "what was set aside in quarantine is not as it was found", "ciò che era stato messo in quarantena non è più come fu trovato", "find out who changed it; its SHA-256 is in the entry of the repair", "accertare chi lo ha modificato; il suo SHA-256 è nella voce della riparazione";
    VaultExists = "vault-exists", Damage, "the vault already holds other bytes under that name", "il deposito contiene già altri byte con quel nome", "when the chain names no such package, move its folder out of packages/ and keep it as evidence", "se la catena non nomina quel pacchetto, spostarne la cartella fuori da packages/ e conservarla come prova";
    CheckRunning = "check/running", Conflict, "another check is running", "è in corso un'altra verifica", "wait for it, or read its report; the command line waits by itself", "attenderne la fine, o leggerne il rapporto; la riga di comando attende da sé";
    CheckInterrupted = "check/interrupted", Finding, "the check was ended before it was through", "la verifica è stata interrotta prima della fine", "what it had looked at is kept; the next one goes on with the rest", "quanto esaminato è annotato; la prossima prosegue con il resto";
    CheckOverdue = "check/overdue", Finding, "copies were not checked within their term", "copie non verificate entro il termine", "run `custode check` without a budget; then raise the budget of the nights, or see why `nightly` does not run", "eseguire `custode check` senza limiti; poi alzare quelli delle notti, o vedere perché `nightly` non viene eseguito";
    CheckLate = "check/late", Finding, "copies will not be checked within their term", "copie che non saranno verificate entro il termine", "raise the budget of the nights (custode.toml), see whether `nightly` runs, or run `custode check`", "alzare il limite delle notti (custode.toml), vedere se `nightly` viene eseguito, o eseguire `custode check`";
    CheckStillBad = "check/still-bad", Finding, "bad when it was last looked at", "danneggiato all'ultima verifica", "see that check's report; `custode repair`, then check again", "vedere il rapporto di quella verifica; `custode repair`, poi verificare di nuovo";
    CheckAhead = "check/ahead", Finding, "a check was noted at an instant that has not come yet: the clock jumped", "una verifica risulta annotata in un istante futuro: l'orologio ha fatto un salto", "set the clock right (NTP); what was noted then pushes no term away", "correggere l'orologio (NTP); quanto annotato allora non sposta alcun termine";
    CatalogDisagrees = "catalog-disagrees", Damage, "catalog and packages disagree", "catalogo e pacchetti discordano", "run `custode reindex`", "eseguire `custode reindex`";
    CatalogDamaged = "catalog-damaged", Damage, "the catalog is damaged", "il catalogo è danneggiato", "run `custode reindex`; the archive itself is in the plain files", "eseguire `custode reindex`; l'archivio sta nei file";
    CatalogRebuilt = "catalog-rebuilt", Finding, "the catalog was rebuilt from the plain files", "il catalogo è stato ricostruito dai file", "", "";
    QueryInvalid = "search/query", Usage, "the search is not understood", "la ricerca non è comprensibile", "FIELD=VALUE, FIELD^=PREFIX, FIELD>=VALUE, FIELD<=VALUE", "CAMPO=VALORE, CAMPO^=PREFISSO, CAMPO>=VALORE, CAMPO<=VALORE";
    // -- reading back --------------------------------------------------------------------------------------------------
    NotFound = "not-found", NotFound, "not found", "non trovato", "", "";
    ReasonNeeded = "auth/reason", Forbidden, "this content is shown only with a reason", "questo contenuto si mostra solo con una motivazione", "add ?reason=… or --reason", "aggiungere ?reason=… o --reason";
    Disposed = "disposed", Gone, "disposed", "scartato", "", "";
    RangeInvalid = "range", Range, "the range cannot be satisfied", "l'intervallo non può essere soddisfatto", "", "";
    BundleInvalid = "bundle-invalid", Damage, "the bundle is not what it says", "il pacchetto di distribuzione non è ciò che dice", "", "";
    BundleFileMissing = "bundle-file-missing", Damage, "a file of the bundle is missing", "manca un file del pacchetto di distribuzione", "ask for the bundle again", "chiedere di nuovo il pacchetto";
    BundleFileAltered = "bundle-file-altered", Damage, "a file of the bundle is altered", "un file del pacchetto di distribuzione è alterato", "ask for the bundle again", "chiedere di nuovo il pacchetto";
    BundleForeign = "bundle-foreign-file", Damage, "a file that the bundle does not list", "un file che il pacchetto di distribuzione non elenca", "nothing is known of that file", "di quel file non si sa nulla";
    NotSealed = "not-sealed", Conflict, "accepted, not sealed yet: there is no evidence before that", "accettato, non ancora sigillato: prima non esiste evidenza", "run `custode seal`, then export again", "eseguire `custode seal`, poi esportare di nuovo";
    AnchorMissing = "anchor-missing", Finding, "the anchors came with the bundle", "le ancore sono arrivate con il pacchetto", "give --trust and --key from a source you trust", "indicare --trust e --key da fonte fidata";
    NotLookedAt = "not-looked-at", Finding, "could not be looked at", "non è stato possibile verificarlo", "", "";
}
