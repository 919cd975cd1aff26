//! Acceptance (*presa in carico*): number, render, sign, write, sync, answer.

use std::sync::Arc;

use super::{Answer, Archive, Controlled, File};
use crate::archive::access::Actor;
use crate::archive::config::Profile;
use crate::archive::open::LANE;
use crate::archive::read::Described;
use crate::archive::state::unpoisoned;
use crate::archive::unsealed;
use crate::document::agid::{self, AgidFile, AgidInput, Tied};
use crate::document::class::Class;
use crate::document::format::Format;
use crate::document::{Metadata, Origins};
use crate::error::{Code, Control, Error, Finding, Result};
use crate::hash::{Digests, Sha256};
use crate::id::{DocumentId, ReceiptId};
use crate::intake::journal::{Document, Numbered, Rendered};
use crate::intake::manifest::{Deposit as Index, Depositor, Item, Manifest};
use crate::intake::receipt::{self, ENGINE, Facts, Shown, note_text, origin, rdv, view};

/// A document about to be accepted: everything its metadata file is made of, without its bytes.
struct Piece {
    id: DocumentId,
    class: Arc<Class>,
    archive: Option<Sha256>,
    name: String,
    digests: Digests,
    format: Format,
    metadata: Metadata,
    origins: Origins,
    findings: Vec<Finding>,
    controls: Vec<Control>,
    salt: [u8; 16],
    primary: Option<(String, String)>,
    /// Of an aggregation, the members that are held.
    members: Vec<Tied>,
}

/// What the journal's writer needs to render a receipt once the number is known.
struct Rendering {
    receipt: ReceiptId,
    class: Arc<Class>,
    pieces: Vec<Piece>,
    index: Index,
    replay: crate::intake::manifest::Replay,
    idempotency_key: Option<String>,
    holder: agid::Holder,
    chain: (u64, Sha256),
    trial: bool,
    origin: String,
    signer: crate::chain::note::Signer,
}

/// What is rendered, kept for the answer.
struct Given {
    described: Described,
    deposit: Manifest,
    metadata: Vec<Vec<u8>>,
}

impl Archive {
    pub(super) fn accept(&self, controlled: Controlled) -> Result<Answer> {
        let now = self.clock.now();
        let receipt = ReceiptId::new(now);
        let Controlled {
            actor,
            agreement,
            class,
            classes,
            received_at,
            deposit,
            replay,
            mut controls,
            findings,
            understood,
        } = controlled;
        rdv::holdable_controls(&mut controls);
        let mut pieces = Vec::with_capacity(deposit.files.len());
        let mut documents = Vec::with_capacity(deposit.files.len());
        for (n, ((file, understood), class)) in deposit.files.into_iter().zip(understood).zip(classes).enumerate() {
            let File { name, spooled, relations, unpacked, .. } = file;
            let mut controls = understood.controls;
            rdv::holdable_controls(&mut controls);
            let mut all: Vec<Finding> = findings.iter().filter(|(of, _)| *of == n).map(|(_, f)| f.clone()).collect();
            all.extend(understood.findings);
            let id = DocumentId::new(now);
            let mut salt = [0; 16];
            getrandom::fill(&mut salt).map_err(|e| Error::new(Code::Internal, format!("no randomness: {e}")))?;
            let members = self.members_held(&class, &understood.metadata)?;
            pieces.push(Piece {
                id,
                members,
                class,
                archive: unpacked.archive(),
                name,
                digests: *spooled.digests(),
                format: understood.format,
                metadata: understood.metadata,
                origins: understood.origins,
                findings: all,
                controls,
                salt,
                primary: relations.into_iter().next().map(|relation| (relation.to, relation.kind)),
            });
            documents.push(Document { id, body: spooled });
        }
        // Of one moment: the receipt is under the key that is in force at the size of the chain it names.
        let (head, signer) = self.ledger.signing();
        let rendering = Rendering {
            receipt,
            index: Index {
                receipt,
                lane: LANE,
                agreement,
                holder: self.holder_id(),
                producer: actor.producer(),
                depositor: depositor(&actor),
                channel: deposit.channel,
                class: class.id.clone(),
                class_version: class.version,
                received_at,
                bytes: deposit.body.bytes,
                sha256: deposit.body.sha256,
                client_manifest_sha256: deposit.client_manifest,
                controls,
                documents: Vec::new(),
            },
            class,
            pieces,
            replay,
            idempotency_key: deposit.idempotency_key,
            holder: self.agid_holder(),
            chain: (head.size, head.root),
            trial: self.profile == Profile::Trial,
            origin: origin(&self.origin),
            signer: signer.renamed(&origin(&self.origin))?,
        };
        let (numbered, given) = self.journal.submit(receipt, documents, move |numbered| rendering.render(numbered))?;

        // From here the deposit is acknowledged: rows and view are made the way they always are, from the plain files.
        let files = given.metadata.iter().map(|bytes| agid::parse(bytes)).collect::<Result<Vec<_>>>()?;
        let body = receipt_view(&given.described, &files)?;
        let mut rows = Vec::with_capacity(files.len());
        let classes = unpoisoned(self.classes.read());
        for file in files {
            self.remember_cohort(&classes, &file);
            self.revocation.remember(&file);
            rows.push(unsealed::document_row(&classes, file, LANE, numbered.sequence, None)?);
        }
        drop(classes);
        if let Some(first) = rows.first() {
            self.unsealed.insert(&unsealed::deposit_row(&given.deposit, numbered.sequence, first), &rows);
        }
        metrics::counter!("custode_deposits_accepted_total").increment(1);
        Ok(Answer { status: 201, body, location: Some(format!("/v1/receipts/{receipt}")) })
    }

    /// The holder as written in receipts: its identifier, else its name.
    pub(in crate::archive) fn holder_id(&self) -> String {
        let agent = &self.config.holder.agent;
        agent.id.as_ref().map_or_else(|| agent.name.to_string(), |id| id.as_str().to_owned())
    }

    /// VAT numbers and tax codes of the holder.
    pub(in crate::archive) fn holder_codes(&self) -> Vec<String> {
        self.agid_holder().codes
    }

    fn agid_holder(&self) -> agid::Holder {
        let agent = &self.config.holder.agent;
        let code = agent.id.as_ref().and_then(|id| id.as_str().split_once('-').map(|(_, code)| code.to_owned()));
        agid::Holder { name: agent.name.to_string(), codes: code.into_iter().collect(), addresses: Vec::new() }
    }
}

pub(super) fn depositor(actor: &Actor) -> Depositor {
    let token = actor.token.as_ref().map_or_else(|| "local".to_owned(), ToString::to_string);
    Depositor { person: actor.who, token }
}

impl Rendering {
    fn render(mut self, numbered: Numbered) -> Result<(Rendered, Given)> {
        let metadata: Vec<Vec<u8>> = self.pieces.iter().map(|piece| self.metadata(piece, &numbered)).collect();
        self.index.documents = self
            .pieces
            .iter()
            .zip(&metadata)
            .map(|(piece, file)| Item {
                id: piece.id,
                bytes: piece.digests.bytes,
                media_type: piece.format.media_type.clone(),
                sha256: piece.digests.sha256,
                blake3: piece.digests.blake3,
                metadata_sha256: Sha256::of(file),
                class: self.other_class(piece).map(|class| class.id.clone()),
                class_version: self.other_class(piece).map(|class| class.version),
                archive_sha256: piece.archive,
                controls: piece.controls.clone(),
            })
            .collect();
        let deposit = Manifest::new(self.index.clone(), self.replay);
        let manifest = deposit.to_bytes();
        let facts = Facts {
            deposit: self.index,
            manifest_sha256: Sha256::of(&manifest),
            sequence: numbered.sequence,
            accepted_at: numbered.accepted_at,
            chain_size: self.chain.0,
            chain_root: self.chain.1,
            engine: ENGINE.to_owned(),
            trial: self.trial,
        };
        let rdv = rdv::render(&facts);
        let note = self.signer.sign_note(&note_text(&self.origin, &facts, &rdv))?.into_bytes();
        let described = Described { rdv: rdv.clone(), note: note.clone() };
        let given = Given { described, deposit, metadata: metadata.clone() };
        Ok((Rendered { rdv, note, manifest, metadata }, given))
    }

    /// The class of a document, when it is not the deposit's.
    fn other_class<'a>(&self, piece: &'a Piece) -> Option<&'a Class> {
        let same = piece.class.id == self.class.id && piece.class.version == self.class.version;
        (!same).then_some(&*piece.class)
    }

    fn metadata(&self, piece: &Piece, numbered: &Numbered) -> Vec<u8> {
        let primary = piece.primary.as_ref().and_then(|(name, kind)| {
            let main = self.pieces.iter().find(|other| other.name == *name && other.id != piece.id)?;
            Some(Tied { id: main.id, sha256: main.digests.sha256, description: kind.clone() })
        });
        let attachments: Vec<Tied> = self
            .pieces
            .iter()
            .filter(|other| other.primary.as_ref().is_some_and(|(name, _)| *name == piece.name) && other.id != piece.id)
            .map(|other| Tied {
                id: other.id,
                sha256: other.digests.sha256,
                description: other.primary.as_ref().map(|(_, kind)| kind.clone()).unwrap_or_default(),
            })
            .collect();
        agid::render(&AgidInput {
            class: &piece.class,
            document: piece.id,
            receipt: self.receipt,
            idempotency_key: self.idempotency_key.as_deref(),
            accepted_at: numbered.accepted_at,
            name: &piece.name,
            format: &piece.format,
            digests: piece.digests,
            salt: piece.salt,
            metadata: &piece.metadata,
            origins: &piece.origins,
            findings: &piece.findings,
            controls: &piece.controls,
            holder: &self.holder,
            system: &self.index.producer,
            attachments: &attachments,
            primary: primary.as_ref(),
            members: &piece.members,
        })
    }
}

/// The JSON receipt, made from the plain files alone: given again byte for byte whenever it is asked for.
pub(in crate::archive) fn receipt_view(described: &Described, files: &[AgidFile]) -> Result<Vec<u8>> {
    let facts = rdv::parse(&described.rdv)?;
    let note = String::from_utf8(described.note.clone())
        .map_err(|_| Error::new(Code::SignatureInvalid, "the note is not text"))?;
    let shown: Vec<Shown<'_>> = facts
        .deposit
        .documents
        .iter()
        .map(|item| {
            let file = files.iter().find(|file| file.document == item.id);
            let file =
                file.ok_or_else(|| Error::new(Code::ContentMissing, "its metadata file is not there").at(item.id))?;
            Ok(Shown { name: &file.name, metadata: &file.metadata, findings: &file.findings })
        })
        .collect::<Result<_>>()?;
    let key = files.first().and_then(|file| file.idempotency_key.as_deref());
    let mut body = view(&facts, Sha256::of(&described.rdv), &note, key, &shown).to_string().into_bytes();
    body.push(b'\n');
    Ok(body)
}

/// The text of a receipt's note, its signature verified.
pub(in crate::archive) fn note_facts(archive: &Archive, note: &[u8]) -> Result<String> {
    let text = std::str::from_utf8(note).map_err(|_| Error::new(Code::SignatureInvalid, "the note is not text"))?;
    Ok(receipt::open_note(text, &archive.ledger.keys())?.0)
}
