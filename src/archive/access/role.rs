//! Roles, actions, and the one table that says who may do what (Linee guida AgID 4.4, 4.5).
//!
//! Invariant: what is not in the table is not allowed. A technical administrator sees no content; acts that decide about
//! documents need a person, never a system; who proposes a disposal is not the one who approves it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};

/// In which role somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Titolare dell'oggetto della conservazione: sees all own data, approves disposals.
    Holder,
    /// Produttore del PdV: deposits, sees its own receipts.
    Producer,
    /// Responsabile della conservazione: policies, persons, holds, disposals.
    Manager,
    /// Runs the archive day by day.
    Operator,
    /// Utente abilitato: searches and asks for documents.
    Reader,
    /// Looks at everything and verifies; changes nothing.
    Auditor,
    /// Keeps the machine running; sees no content.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Holder, Self::Producer, Self::Manager, Self::Operator, Self::Reader, Self::Auditor, Self::Admin];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Holder => "holder",
            Self::Producer => "producer",
            Self::Manager => "manager",
            Self::Operator => "operator",
            Self::Reader => "reader",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    /// The Italian term.
    pub fn italian(self) -> &'static str {
        match self {
            Self::Holder => "titolare",
            Self::Producer => "produttore",
            Self::Manager => "responsabile della conservazione",
            Self::Operator => "operatore",
            Self::Reader => "utente abilitato",
            Self::Auditor => "verificatore",
            Self::Admin => "amministratore tecnico",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Whether the table lets this role do it.
    pub fn may(self, action: Action) -> bool {
        action.rule().roles & self.bit() != 0
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            Error::new(Code::Usage, "expected a role: holder, producer, manager, operator, reader, auditor or admin")
        })
    }
}

struct Rule {
    roles: u8,
    of_class: bool,
    needs_person: bool,
}

const H: u8 = Role::Holder.bit();
const P: u8 = Role::Producer.bit();
const M: u8 = Role::Manager.bit();
const O: u8 = Role::Operator.bit();
const R: u8 = Role::Reader.bit();
const A: u8 = Role::Auditor.bit();
const T: u8 = Role::Admin.bit();
/// Everybody who may see what documents say.
const SEE: u8 = H | M | O | R | A;

macro_rules! actions {
    ($( $(#[$doc:meta])* $name:ident = $roles:expr, $of_class:ident, $who:ident; )*) => {
        /// What can be asked of an archive.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action { $( $(#[$doc])* $name, )* }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Self] = &[ $( Self::$name, )* ];

            fn rule(self) -> Rule {
                match self {
                    $( Self::$name => Rule {
                        roles: $roles,
                        of_class: actions!(@class $of_class),
                        needs_person: actions!(@who $who),
                    }, )*
                }
            }
        }
    };
    (@class of_class) => { true };
    (@class whole) => { false };
    (@who anyone) => { false };
    (@who person) => { true };
}

// The permission matrix: roles, whether it is about documents of one class, whether it needs a person.
actions! {
    /// Deposit documents, and the dry run.
    Deposit = P | O, of_class, anyone;
    /// One's own receipts, refusals and their check outcomes.
    ReadOwnReceipts = P | SEE, of_class, anyone;
    /// Anybody's receipts and refusals.
    ReadReceipts = SEE, of_class, anyone;
    /// What is known of a document.
    ReadMetadata = SEE, of_class, anyone;
    /// A document's bytes.
    ReadContent = SEE, of_class, anyone;
    /// The bytes of a message kept because it carries malware.
    ReadVirus = M, of_class, person;
    /// Find documents by metadata.
    Search = SEE, of_class, anyone;
    /// Make evidence bundles (PdD).
    Export = SEE, of_class, anyone;
    /// Packages by series and number, their indexes and evidence; indexes name documents.
    ReadPackages = SEE, of_class, anyone;
    /// Checkpoint, entries and proofs: nothing personal.
    ReadChain = P | SEE | T, whole, anyone;
    /// Close open packages now.
    Seal = M | O | T, of_class, anyone;
    /// Verify, and read check reports.
    Check = H | M | O | A | T, whole, anyone;
    /// Counters, health in detail, reindex, repair from copies: technical, without content.
    Technical = O | T, whole, anyone;
    /// Declare that an older state of the archive is the archive from now on.
    DeclareRestoration = M | O, whole, anyone;
    /// Change the key that the archive signs with.
    ChangeKey = M | O | T, whole, anyone;
    /// Classes, policies and settings in force.
    ReadRules = P | SEE | T, whole, anyone;
    /// Let an object be deposited again after too many refusals.
    Unblock = M, of_class, person;
    /// Persons, delegations and tokens.
    ManagePersons = M, whole, person;
    /// See who holds which role and token.
    ListPersons = H | M | A, whole, anyone;
    /// Adopt classes, policies and manuals.
    Adopt = M, whole, person;
    /// Place a hold.
    PlaceHold = H | M, of_class, person;
    /// Release a hold.
    ReleaseHold = M, of_class, person;
    /// Ask for an amendment.
    RequestAmendment = H | P, of_class, anyone;
    /// Approve an amendment.
    ApproveAmendment = M, of_class, person;
    /// Check what is due against the plan and propose its disposal.
    ProposeDisposal = M, of_class, person;
    /// Approve or reject a disposal.
    ApproveDisposal = H, of_class, person;
    /// Execute an approved disposal, or a transfer.
    ExecuteDisposal = M, of_class, person;
}

impl Action {
    /// Whether it is about documents of some class: a token limited to classes must be asked with one.
    pub fn is_of_class(self) -> bool {
        self.rule().of_class
    }

    /// Whether a system's token is not enough.
    pub fn needs_person(self) -> bool {
        self.rule().needs_person
    }

    /// Whether it lets one see what documents say: such an access is recorded before the bytes leave.
    pub fn shows_content(self) -> bool {
        matches!(
            self,
            Self::ReadContent | Self::ReadVirus | Self::ReadMetadata | Self::Search | Self::Export | Self::ReadPackages
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_technical_administrator_sees_no_content_and_mints_no_tokens() {
        for action in Action::ALL.iter().filter(|a| a.shows_content()) {
            assert!(!Role::Admin.may(*action), "{action:?}");
            assert!(!Role::Producer.may(*action), "{action:?}");
        }
        for action in [Action::ManagePersons, Action::ReadReceipts, Action::Deposit, Action::Adopt] {
            assert!(!Role::Admin.may(action), "{action:?}");
        }
        assert!(Role::Admin.may(Action::Technical) && Role::Admin.may(Action::Check));
    }

    #[test]
    fn nobody_can_both_propose_and_approve() {
        for role in Role::ALL {
            assert!(!(role.may(Action::ProposeDisposal) && role.may(Action::ApproveDisposal)), "{role}");
            assert!(!(role.may(Action::RequestAmendment) && role.may(Action::ApproveAmendment)), "{role}");
        }
    }

    #[test]
    fn what_decides_about_documents_needs_a_person() {
        let person: Vec<_> = Action::ALL.iter().filter(|a| a.needs_person()).collect();
        assert_eq!(person.len(), 10, "{person:?}");
        for action in person {
            assert!(
                [Role::Producer, Role::Operator, Role::Reader, Role::Auditor, Role::Admin]
                    .iter()
                    .all(|r| !r.may(*action))
            );
        }
    }

    #[test]
    fn only_the_producer_and_the_operator_deposit_and_an_auditor_changes_nothing() {
        let may: Vec<_> = Role::ALL.into_iter().filter(|role| role.may(Action::Deposit)).collect();
        assert_eq!(may, [Role::Producer, Role::Operator]);
        let changes =
            [Action::Deposit, Action::Seal, Action::Unblock, Action::ManagePersons, Action::Adopt, Action::PlaceHold];
        assert!(changes.iter().all(|action| !Role::Auditor.may(*action) && !Role::Reader.may(*action)));
        assert!(!Role::Reader.may(Action::Check) && Role::Auditor.may(Action::Check));
    }

    #[test]
    fn role_names_round_trip() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        assert!("root".parse::<Role>().is_err());
    }
}
