//! The RdV in XML (`schemas/rdv@1.xsd`), and back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::xml::{Element, read, wrong};
use super::{Facts, STATUS, TRIAL};
use crate::clock::iso_ms;
use crate::document::markup::{Writer, holdable};
use crate::error::{Code, Control, ControlOutcome, Result};
use crate::hash::Sha256;
use crate::id::{Lane, Sequence};
use crate::intake::manifest::{Deposit, Depositor, Item};

/// Namespace of RdV and negative outcome.
pub const NAMESPACE: &str = "urn:custode:rdv:1";
/// The schema, as it goes into an archive.
pub const SCHEMA: &str = include_str!("../../../schemas/rdv@1.xsd");

const SHA256: (&str, &str) = ("algoritmo", "SHA-256");
const BLAKE3: (&str, &str) = ("algoritmo", "BLAKE3");

/// Writes the RdV. The same facts give the same bytes.
pub fn render(facts: &Facts) -> Vec<u8> {
    let deposit = &facts.deposit;
    let mut pen = Writer::new();
    let root = [("xmlns", NAMESPACE), ("versioneSchema", "1"), ("en", "Submission report (receipt)")];
    pen.open("RapportoDiVersamento", &root);
    notice(&mut pen, facts.trial);
    pen.leaf_with("Identificativo", &[("en", "Receipt identifier")], &deposit.receipt.to_string());
    pen.leaf_with("Emissione", &[("en", "Issued at (UTC)")], &iso_ms(facts.accepted_at));
    pen.leaf_with("Corsia", &[("en", "Lane")], &deposit.lane.to_string());
    pen.leaf_with("Numero", &[("en", "Sequence number")], &facts.sequence.to_string());
    pen.leaf_with("Accordo", &[("en", "Submission agreement")], &deposit.agreement);
    pen.leaf_with("Titolare", &[("en", "Holder")], &deposit.holder);
    pen.leaf_with("Produttore", &[("en", "Producer")], &deposit.producer);
    let person = deposit.depositor.person.to_string();
    pen.empty("Versatore", &[("en", "Depositor"), ("persona", &person), ("token", &deposit.depositor.token)]);
    pen.leaf_with("Canale", &[("en", "Channel")], deposit.channel.as_str());
    let version = deposit.class_version.to_string();
    pen.leaf_with("Classe", &[("en", "Document class"), ("versione", &version)], deposit.class.as_str());
    package(&mut pen, facts);
    let number = deposit.documents.len().to_string();
    pen.open("Documenti", &[("en", "Documents"), ("numero", &number)]);
    for item in &deposit.documents {
        pen.open("Documento", &[("id", &item.id.to_string())]);
        if let (Some(class), Some(version)) = (&item.class, item.class_version) {
            pen.leaf_with("Classe", &[("versione", &version.to_string())], class.as_str());
        }
        pen.leaf_with("Byte", &[], &item.bytes.to_string());
        pen.leaf_with("Formato", &[], &item.media_type);
        pen.leaf_with("Impronta", &[SHA256], &item.sha256.to_string());
        pen.leaf_with("Impronta", &[BLAKE3], &item.blake3.to_string());
        pen.leaf_with("ImprontaMetadati", &[SHA256], &item.metadata_sha256.to_string());
        if let Some(archive) = item.archive_sha256 {
            pen.leaf_with("ImprontaArchivio", &[SHA256], &archive.to_string());
        }
        controls(&mut pen, &item.controls);
        pen.close("Documento");
    }
    pen.close("Documenti");
    pen.leaf_with("Stato", &[("en", "Conservation status: taken in charge")], STATUS);
    let size = facts.chain_size.to_string();
    pen.empty("Catena", &[("en", "Chain"), ("dimensione", &size), ("radice", &BASE64.encode(facts.chain_root.0))]);
    pen.empty("Sistema", &[("en", "System"), ("nome", "Custode"), ("versione", &facts.engine)]);
    pen.close("RapportoDiVersamento");
    pen.finish()
}

pub(in crate::intake) fn notice(pen: &mut Writer, trial: bool) {
    if trial {
        pen.leaf_with("Avvertenza", &[("en", "TRIAL: without legal value")], TRIAL);
    }
}

fn package(pen: &mut Writer, facts: &Facts) {
    let deposit = &facts.deposit;
    pen.open("PacchettoDiVersamento", &[("en", "Submission package")]);
    pen.leaf_with("Identificativo", &[], &deposit.receipt.to_string());
    pen.leaf_with("Ricevuto", &[("en", "Received at (UTC)")], &iso_ms(deposit.received_at));
    pen.leaf_with("Byte", &[], &deposit.bytes.to_string());
    pen.leaf_with("Impronta", &[SHA256], &deposit.sha256.to_string());
    pen.leaf_with(
        "ImprontaIndice",
        &[("en", "Digest of the package's index"), SHA256],
        &facts.manifest_sha256.to_string(),
    );
    if let Some(client) = deposit.client_manifest_sha256 {
        pen.leaf_with(
            "ImprontaIndiceProduttore",
            &[("en", "Digest of the producer's index"), SHA256],
            &client.to_string(),
        );
    }
    controls(pen, &deposit.controls);
    pen.close("PacchettoDiVersamento");
}

pub(in crate::intake) fn controls(pen: &mut Writer, controls: &[Control]) {
    pen.open("Controlli", &[("en", "Controls")]);
    for control in controls {
        let mut attributes = vec![("nome", control.control.as_str()), ("esito", control.outcome.italian())];
        attributes.extend(control.code.map(|code| ("codice", code.as_str())));
        if !control.place.is_empty() {
            attributes.push(("luogo", &control.place));
        }
        pen.empty("Controllo", &attributes);
    }
    pen.close("Controlli");
}

/// Makes text in the controls such that XML can hold it, so that [`parse`] gives back exactly these facts.
pub fn holdable_controls(controls: &mut [Control]) {
    for control in controls {
        control.control = holdable(&control.control);
        control.place = holdable(&control.place);
    }
}

/// Reads an RdV that [`render`] wrote, and nothing else.
pub fn parse(bytes: &[u8]) -> Result<Facts> {
    let facts = facts(&read(bytes)?)?;
    if render(&facts) != bytes {
        return Err(wrong("not as it was written").at("RdV"));
    }
    Ok(facts)
}

fn facts(root: &Element) -> Result<Facts> {
    let package = root.child("PacchettoDiVersamento")?;
    let versatore = root.child("Versatore")?;
    let class = root.child("Classe")?;
    let chain = root.child("Catena")?;
    let radix = BASE64.decode(chain.attribute("radice")?).ok().and_then(|bytes| bytes.try_into().ok());
    let documents = root.child("Documenti")?.children.iter().map(item).collect::<Result<Vec<_>>>()?;
    let client = package.try_child("ImprontaIndiceProduttore").map(|element| element.text.parse()).transpose();
    let number = |text: &str, what: &str| text.parse::<u64>().map_err(|_| wrong(format!("{what} cannot be read")));
    Ok(Facts {
        manifest_sha256: package.value("ImprontaIndice")?,
        sequence: Sequence(root.value("Numero")?),
        accepted_at: root.value("Emissione")?,
        chain_size: number(chain.attribute("dimensione")?, "dimensione")?,
        chain_root: Sha256(radix.ok_or_else(|| wrong("radice cannot be read"))?),
        engine: root.child("Sistema")?.attribute("versione")?.to_owned(),
        trial: root.try_child("Avvertenza").is_some(),
        deposit: Deposit {
            receipt: root.value("Identificativo")?,
            lane: Lane(root.value("Corsia")?),
            agreement: root.child("Accordo")?.text.clone(),
            holder: root.child("Titolare")?.text.clone(),
            producer: root.child("Produttore")?.text.clone(),
            depositor: Depositor {
                person: versatore.attribute("persona")?.parse()?,
                token: versatore.attribute("token")?.to_owned(),
            },
            channel: root.value("Canale")?,
            class: class.text.parse()?,
            class_version: version(class)?,
            received_at: package.value("Ricevuto")?,
            bytes: package.value("Byte")?,
            sha256: package.value("Impronta")?,
            client_manifest_sha256: client?,
            controls: read_controls(package)?,
            documents,
        },
    })
}

fn version(class: &Element) -> Result<u32> {
    class.attribute("versione")?.parse().map_err(|_| wrong("versione cannot be read"))
}

fn item(element: &Element) -> Result<Item> {
    let mut digests = element.children.iter().filter(|child| child.name == "Impronta");
    let (Some(sha256), Some(blake3)) = (digests.next(), digests.next()) else {
        return Err(wrong("a document without its two digests"));
    };
    let class = element.try_child("Classe");
    Ok(Item {
        id: element.attribute("id")?.parse()?,
        bytes: element.value("Byte")?,
        media_type: element.child("Formato")?.text.clone(),
        sha256: sha256.text.parse()?,
        blake3: blake3.text.parse()?,
        metadata_sha256: element.value("ImprontaMetadati")?,
        class_version: class.map(version).transpose()?,
        class: class.map(|class| class.text.parse()).transpose()?,
        archive_sha256: element.try_child("ImprontaArchivio").map(|archive| archive.text.parse()).transpose()?,
        controls: read_controls(element)?,
    })
}

fn read_controls(element: &Element) -> Result<Vec<Control>> {
    const OUTCOMES: [ControlOutcome; 5] = [
        ControlOutcome::Positive,
        ControlOutcome::Negative,
        ControlOutcome::Warning,
        ControlOutcome::NotActivated,
        ControlOutcome::NotExecuted,
    ];
    let one = |element: &Element| -> Result<Control> {
        let outcome = element.attribute("esito")?;
        let outcome = OUTCOMES.into_iter().find(|known| known.italian() == outcome);
        let mut control = Control::new(element.attribute("nome")?, outcome.ok_or_else(|| wrong("esito unknown"))?);
        control.code = match element.try_attribute("codice") {
            Some(code) => Some(
                Code::ALL
                    .iter()
                    .copied()
                    .find(|known| known.as_str() == code)
                    .ok_or_else(|| wrong("codice unknown"))?,
            ),
            None => None,
        };
        control.place = element.try_attribute("luogo").unwrap_or_default().to_owned();
        Ok(control)
    };
    element.child("Controlli")?.children.iter().map(one).collect()
}
