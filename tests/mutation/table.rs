//! Goes through all cells, judges each, and renders the table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::cell::{Cell, Look, Variant};
use super::component;
use super::exceptions;
use super::judge::{Checker, Verdict};
use super::made::Made;
use super::stand::Stand;

/// Stands that are damaged side by side.
const WORKERS: usize = 3;

/// What a row of the table says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    pub opening: BTreeSet<String>,
    pub quick: BTreeSet<String>,
    pub full: BTreeSet<String>,
}

/// What came of all cells.
#[derive(Default)]
pub struct Outcome {
    /// By component and damage.
    pub rows: BTreeMap<(&'static str, &'static str), Row>,
    /// Damages that were not found as they should have been.
    pub missed: Vec<String>,
    /// Damages done, and those of them that must be found.
    pub damages: u64,
    pub due: u64,
    /// Cells in which something was missed.
    pub broken: BTreeSet<(&'static str, &'static str)>,
}

/// Damages, checks, undoes, for every variant of every cell.
pub fn go_through(made: &Made, cells: &[Cell], checker: &dyn Checker) -> Outcome {
    let outcome = Mutex::new(Outcome::default());
    let (next, damages) = (AtomicUsize::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (outcome, next, damages) = (&outcome, &next, &damages);
            scope.spawn(move || {
                let folder = made.beside(&format!("stand-{worker}"));
                let mut stand = Stand::new(&made.now(), &folder);
                let copied = made.beside(&format!("copy-{worker}"));
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let mut bench = Bench { made, stand: &mut stand, copied: &copied, checker, damages };
                    let judged = bench.judge(cell);
                    let mut outcome = outcome.lock().unwrap();
                    let key = (cell.component, cell.damage);
                    if !judged.missed.is_empty() {
                        outcome.broken.insert(key);
                    }
                    if exceptions::of(cell).is_none() {
                        outcome.due += (cell.variants.len() + cell.random.len()) as u64;
                    }
                    outcome.missed.extend(judged.missed);
                    outcome.rows.insert(key, judged.row);
                }
                drop(stand);
                let _ = std::fs::remove_dir_all(folder);
            });
        }
    });
    let mut outcome = outcome.into_inner().unwrap();
    outcome.damages = damages.into_inner();
    outcome.missed.sort();
    outcome
}

struct Bench<'a> {
    made: &'a Made,
    stand: &'a mut Stand,
    copied: &'a Path,
    checker: &'a dyn Checker,
    damages: &'a AtomicU64,
}

#[derive(Default)]
struct Judged {
    row: Row,
    missed: Vec<String>,
}

impl Bench<'_> {
    fn judge(&mut self, cell: &Cell) -> Judged {
        let mut judged = Judged::default();
        let mut quick_sees = false;
        for (n, variant) in cell.variants.iter().chain(&cell.random).enumerate() {
            (variant.act)(self.stand);
            self.damages.fetch_add(1, Ordering::Relaxed);
            let touched = self.stand.touched();
            if n == 0 {
                quick_sees = self.first(cell, variant, &touched, &mut judged);
            } else {
                let mode = if quick_sees { "quick" } else { "full" };
                let verdict = match cell.look {
                    Look::AtRest => self.checker.at_rest(&self.stand.folder, mode),
                    _ => self.checker.opened(&self.stand.folder, self.copied, mode).1,
                };
                self.expect(cell, variant, &touched, &verdict, &mut judged.missed);
            }
            self.stand.undo();
        }
        judged
    }

    /// The first variant says what stands in the table; whether a quick check is enough.
    fn first(&mut self, cell: &Cell, variant: &Variant, touched: &[String], judged: &mut Judged) -> bool {
        let folder = self.stand.folder.clone();
        let notes = exceptions::of(cell).is_some();
        let (stopped, quick) = self.checker.opened(&folder, self.copied, "quick");
        let kept = self.made.now().join("archive/chain/checkpoint");
        let kept = (cell.look == Look::Kept).then_some(kept.as_path());
        let full = self.checker.program(&folder, self.copied, kept);
        self.expect(cell, variant, touched, &full, &mut judged.missed);
        let (quick, full) = (quick.naming(touched, &cell.also, notes), full.naming(touched, &cell.also, notes));
        let quick_sees = !quick.is_empty();
        judged.row = Row { opening: stopped.iter().map(|code| code.as_str().to_owned()).collect(), quick, full };
        quick_sees
    }

    /// Not good, and located; or good, when it is on the list of what nobody can see.
    fn expect(&self, cell: &Cell, variant: &Variant, touched: &[String], verdict: &Verdict, missed: &mut Vec<String>) {
        let (what, here) = (&variant.what, format!("{} · {}", cell.component, cell.damage));
        match exceptions::of(cell) {
            Some(_) if verdict.outcome == "good" => {}
            Some(_) => missed.push(format!("{here} ({what}): listed as invisible, and seen: {verdict}")),
            None if verdict.outcome == "good" => missed.push(format!("{here} ({what}): good")),
            None if verdict.naming(touched, &cell.also, false).is_empty() => {
                let first = touched.first().cloned().unwrap_or_default();
                missed.push(format!("{here} ({what}): not located at {first} …: {verdict}"));
            }
            None => {}
        }
    }
}

/// The table and what is not found, in Markdown.
pub fn render(cells: &[Cell], outcome: &Outcome) -> String {
    let mut text = String::from("| damage | opening refuses | quick check | full check |\n|---|---|---|---|\n");
    let mut before = "";
    for cell in cells {
        let Some(row) = outcome.rows.get(&(cell.component, cell.damage)) else { continue };
        if cell.component != before {
            before = cell.component;
            let files = component::ALL.iter().find(|(name, _)| *name == before).map_or("", |(_, files)| files);
            let colon = if files.is_empty() { "" } else { ": " };
            writeln!(text, "| **{before}**{colon}{files} | | | |").unwrap();
        }
        let list = |codes: &BTreeSet<String>| {
            let codes: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
            if codes.is_empty() { "–".to_owned() } else { codes.join(", ") }
        };
        let mark = exceptions::of(cell).map(|exception| format!(" ({})", exception.mark())).unwrap_or_default();
        let (opening, quick, full) = (list(&row.opening), list(&row.quick), list(&row.full));
        writeln!(text, "| {}{mark} | {opening} | {quick} | {full} |", cell.damage).unwrap();
    }
    text += "\nIn brackets, what is rightly called good:\n\n";
    for exception in exceptions::ALL {
        writeln!(text, "{}. {}", exception.mark(), exception.reason).unwrap();
    }
    text
}

/// Between these, the page is made from what was found.
const MADE: [&str; 2] = ["<!-- made by tests/mutation -->\n", "<!-- end -->\n"];

/// The page holds the table as it is. `CUSTODE_BLESS=1` writes it anew.
pub fn up_to_date(name: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(MADE[0]).unwrap();
    let (found, after) = rest.split_once(MADE[1]).unwrap();
    if std::env::var_os("CUSTODE_BLESS").is_some() {
        let page = [before, MADE[0], table, MADE[1], after].concat();
        return std::fs::write(&path, page).unwrap();
    }
    for (found, made) in found.lines().zip(table.lines()) {
        assert_eq!(found, made, "{name} is out of date: run CUSTODE_BLESS=1 cargo test --test mutation");
    }
    assert!(found == table, "{name} is out of date: run CUSTODE_BLESS=1 cargo test --test mutation");
}
