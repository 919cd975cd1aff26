//! Damages that a check rightly calls good, each with its reason. They are done like all others, and must be good: the list is to be
//! exactly as long as it says.

use super::cell::Cell;

/// What nobody has to see, or nobody can.
pub struct Exception {
    /// Component and damage.
    cells: &'static [(&'static str, &'static str)],
    pub reason: &'static str,
}

const NEXT: &str = "once more under the next name";

/// All of them; the number in the table is the place here.
pub static ALL: &[Exception] = &[
    Exception {
        cells: &[
            ("entries", NEXT),
            ("checkpoint", NEXT),
            ("public key", NEXT),
            ("chain stamp", NEXT),
            ("stamped checkpoint", NEXT),
            ("reports", NEXT),
            ("report signature", NEXT),
            ("waiting document", NEXT),
            ("foreign file", "in the chain's folder"),
            ("foreign file", "among the reports"),
            ("foreign file", "in the journal's folder"),
        ],
        reason: "The file is named by the report, and nothing reads it: a stop between a file and its entry may leave one.",
    },
    Exception {
        cells: &[("foreign file", "beside everything"), ("quarantine", NEXT)],
        reason: "Nobody reads it, and nothing says what else may stand there; what recovery sets aside stands in quarantine too.",
    },
    Exception {
        cells: &[("quarantine", "deleted")],
        reason: "What stands there is known to be bad, and may be cleared away once it is known why. The report says that it is gone.",
    },
    Exception {
        cells: &[("mode", "a sealed file made writable")],
        reason: "The bytes are those that were sealed. The report names file and mode (`mode-bits`).",
    },
    Exception {
        cells: &[
            ("journal", "an unfinished batch behind the last"),
            ("refusals", "an unfinished line behind the last"),
            ("accesses", "an unfinished line behind the last"),
        ],
        reason: "This is what a stop leaves; nobody was told of it. It is copied to `quarantine/` and said. What *was* acknowledged is \
                 missed: the chain knows how far numbers, refusals and accesses went.",
    },
    Exception {
        cells: &[
            ("witnessed checkpoint", "deleted"),
            ("witnessed checkpoint", "an older version"),
            ("witnessed checkpoint", NEXT),
        ],
        reason: "A copy of what a witness cosigned. The witness has it, and is asked by each check; what is here is as true as it was.",
    },
    Exception {
        cells: &[("catalog", "files deleted, cut short or altered")],
        reason: "The catalog is a projection: a damaged one is rebuilt from the plain files when the archive is opened, which is said \
                 (`catalog-rebuilt`), and is compared with them by each check. Bytes that sled and tantivy have no use for any more harm nothing.",
    },
    Exception {
        cells: &[("settings", "a setting changed")],
        reason: "The operator's to change. The digest of the settings is on the chain from the next opening on, which says so (`config/changed`).",
    },
    Exception {
        cells: &[("lock", "altered"), ("lock", "deleted")],
        reason: "What it says means nothing without the lock that the operating system holds.",
    },
    Exception {
        cells: &[
            ("chain, by an insider", "an entry after the last stamp edited"),
            ("chain, by an insider", "the last entry removed"),
        ],
        reason: "Whoever has the archive's key can sign another end of the chain, back to the last time-stamp over it or to the last change \
                 of key. Whoever kept a checkpoint or a receipt can tell, and so can a witness that is asked: see the line below it.",
    },
    Exception {
        cells: &[("archive", "all of it as it was")],
        reason: "An older state of everything is a good archive of its day. Whoever kept a checkpoint or a receipt can tell, and so can a \
                 witness that is asked: see the line below it.",
    },
];

impl Exception {
    /// A list of what nobody does would not be honest either.
    pub fn must_be_done(&self, listed: &std::collections::BTreeSet<(&str, &str)>) {
        self.cells.iter().for_each(|cell| assert!(listed.contains(cell), "nobody does {cell:?}"));
    }

    /// Its number.
    pub fn mark(&self) -> usize {
        ALL.iter().position(|one| std::ptr::eq(one, self)).map_or(0, |at| at + 1)
    }
}

/// The exception that a cell is.
pub fn of(cell: &Cell) -> Option<&'static Exception> {
    ALL.iter().find(|one| one.cells.contains(&(cell.component, cell.damage)))
}
