//! What happens when: the calendar of the twenty years, and what each day, month and year asks of the archive.

use std::sync::atomic::Ordering;
use std::time::Instant;

use custode::archive::access::Actor;
use custode::archive::inspect::CheckRequest;
use custode::clock::italy;
use custode::error::Code;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use super::deposits::{self, Kept};
use super::life::Life;
use super::losses;
use super::table::{Row, Table, say};

/// Its first day, and the first one after it.
pub const START: Date = Date::constant(2027, 1, 1);
pub const END: Date = Date::constant(2047, 1, 1);
/// When every class comes every day: the holder is a provider of PEC as well, whose logs come each morning and are sealed alone.
const PROVIDER: [Date; 2] = [Date::constant(2031, 3, 1), Date::constant(2031, 9, 1)];
/// When SHA-256 ends, as is announced two years before: what was sealed with it is renewed with its successor while it still holds.
const RETIRED: &str = "2043-06-30";
/// From when on nothing rests on it any more that is new: a year before, the margin of the table.
pub const SUCCEEDED: Date = Date::constant(2042, 7, 1);
/// What falls due within so many days may be renewed with what is due.
const TOGETHER: i64 = 30;

pub struct Story {
    pub life: Life,
    pub kept: Vec<Kept>,
    pub table: Table,
    /// Every class every day, for those who have the time.
    full: bool,
    year: Row,
    began: Instant,
    /// Packages by the day they were to be renewed, as the plan said last.
    planned: Vec<(Timestamp, u64)>,
    /// Packages sealed since then.
    sealed: u64,
    /// The archive as it was before the day that is going to be lost.
    copied: Option<usize>,
}

impl Story {
    pub fn begin() -> Self {
        let mut life = Life::begin(START);
        let manager = life.manager();
        // The holder closes packages every twelve weeks: a small archive, and each closing costs a token.
        let text = std::fs::read_to_string(life.path("archive/policies/default@1.toml")).unwrap();
        let text = text.replace("version = 1", "version = 2").replace("age = \"24h\"", "age = \"84d\"");
        assert!(text.contains("84d"));
        life.archive().adopt_policy(&manager, text.as_bytes()).unwrap();
        Self {
            life,
            kept: Vec::new(),
            table: Table::default(),
            full: std::env::var("CUSTODE_TWENTY_YEARS").is_ok_and(|wanted| wanted == "full"),
            year: Row::default(),
            began: Instant::now(),
            planned: Vec::new(),
            sealed: 0,
            copied: None,
        }
    }

    /// All of it.
    pub fn live(&mut self) {
        let mut day = START.tomorrow().unwrap();
        while day < END {
            self.morning(day);
            self.deposits(day);
            self.evening(day);
            self.night(day);
            let next = day.tomorrow().unwrap();
            if next.month() != day.month() {
                self.month(day);
            }
            if next.year() != day.year() {
                self.end_of_year(day);
            }
            day = next;
        }
    }

    fn at(&self, day: Date, hour: i8, minute: i8) {
        self.life.clock.to(day.at(hour, minute, 0, 0).to_zoned(italy()).unwrap().timestamp());
    }

    /// Somebody reads this at the end.
    fn happened(&mut self, day: Date, what: &str) {
        say(&format!("{day}  {what}"));
        self.table.events.push((day, what.to_owned()));
    }

    /// Time-stamping units, roots, signers, keys, rules: what people change.
    fn morning(&mut self, day: Date) {
        self.at(day, 3, 0);
        let office = std::sync::Arc::clone(&self.life.office);
        // OpenSSL makes every token of the first three days of a month, and in the month of a roll-over.
        let rolled = matches!(day.year(), 2029 | 2032 | 2035 | 2038 | 2041 | 2044) && day.month() == 1;
        office.openssl.store(day.day() <= 3 || rolled, Ordering::SeqCst);
        let date = (day.year(), day.month(), day.day());
        let units = [
            ((2029, 1, 1), "a", "a2", "ec"),
            ((2032, 1, 1), "a", "a3", "rsa:3072"),
            ((2035, 1, 1), "b", "b1", "ec"),
            ((2038, 1, 1), "b", "b2", "ec"),
            ((2041, 1, 1), "b", "b3", "rsa:3072"),
            ((2044, 1, 1), "b", "b4", "ec"),
        ];
        if let Some((_, root, unit, kind)) = units.iter().find(|(when, ..)| *when == date) {
            if *unit == "b1" {
                office.root("b", 7305);
                self.happened(day, "root B of the time-stamping authority: root A ends in two years");
                // Anchors are read when the archive is opened.
                self.life.close();
            }
            office.unit(root, unit, kind, 2191);
            self.happened(day, &format!("time-stamping unit {unit} ({kind}) takes over"));
        }
        let signers = [
            ((2030, 11, 15), "s1", "s2"),
            ((2034, 9, 15), "s2", "s3"),
            ((2038, 7, 15), "s3", "s4"),
            ((2042, 5, 15), "s4", "s5"),
            ((2046, 3, 15), "s5", "s6"),
        ];
        if let Some((_, old, new)) = signers.iter().find(|(when, ..)| *when == date) {
            self.life.change_signer(old, new, 1461);
            self.happened(day, &format!("seal {new} of the organisation signs instead of {old}"));
        }
        match date {
            (2041, 6, 1) => self.announce_the_end_of_sha256(day),
            (2037, 4, 5) => self.change_key(day, "routine"),
            (2043, 10, 12) => self.change_key(day, "compromised"),
            _ => {}
        }
    }

    fn announce_the_end_of_sha256(&mut self, day: Date) {
        let table = std::fs::read_to_string(self.life.path("archive/policies/algorithms@1.toml")).unwrap();
        let table = table.replace("version = 1", "version = 2");
        let until = format!("name = \"SHA-256\"\nuntil = \"{RETIRED}\"\n");
        let table = table.replacen("name = \"SHA-256\"\n", &until, 1);
        let manager = self.life.manager();
        self.life.archive().adopt_policy(&manager, table.as_bytes()).unwrap();
        self.happened(day, &format!("the table of algorithms says that SHA-256 ends on {RETIRED}"));
    }

    fn change_key(&mut self, day: Date, reason: &str) {
        self.life.close();
        let old = self.life.vkey();
        let done = self.life.told(&["key", "rotate", "--reason", reason]);
        assert_ne!(self.life.vkey(), old, "{done}");
        self.life.tell_witness();
        self.happened(day, &format!("the archive's own key is changed ({reason})"));
    }

    /// Whether every class comes this day.
    fn all(&self, day: Date) -> bool {
        self.full || (PROVIDER[0]..PROVIDER[1]).contains(&day)
    }

    fn deposits(&mut self, day: Date) {
        let archive = self.life.archive();
        let all = self.all(day);
        if all {
            self.at(day, 5, 0);
            deposits::early(&archive, day, &mut self.kept);
        }
        self.at(day, 10, 0);
        deposits::daily(&archive, day, all, &mut self.kept);
    }

    /// What goes wrong.
    fn evening(&mut self, day: Date) {
        self.at(day, 20, 0);
        match (day.year(), day.month(), day.day()) {
            (2028, 3, 15) => {
                self.life.close();
                for step in [12, 60, 130] {
                    losses::killed(&self.life, &["seal"], step);
                }
                self.happened(day, "three closing runs are killed; the night goes on from there");
            }
            (2030, 8, 20) => {
                losses::authority_down(&mut self.life);
                self.happened(day, "no time-stamping authority answers; sealing waits");
            }
            (2031, 6, 10) => {
                let found = losses::catalog_lost(&mut self.life);
                self.happened(day, &format!("the catalog is lost and made anew from {found} documents"));
            }
            (2029, 6, 10) => {
                losses::copies_lost(&mut self.life);
                self.happened(day, "a package is damaged in each of the three vaults, and repaired from the others");
            }
            (2033, 5, 5) => {
                losses::journal_torn(&mut self.life);
                self.happened(day, "half a batch at the end of the journal is set aside");
            }
            (2036, 9, 16) => {
                self.life.close();
                losses::copy_whole(&self.life, false);
                self.copied = Some(self.kept.len());
            }
            (2036, 9, 17) => self.lose_a_day(day),
            _ => {}
        }
    }

    /// The disk is lost after a day was sealed and witnessed; the copy of the day before takes its place, and who deposited since
    /// deposits again.
    fn lose_a_day(&mut self, day: Date) {
        let archive = self.life.archive();
        archive.seal(&Actor::local(), None).unwrap();
        drop(archive);
        losses::older_state(&mut self.life);
        self.kept.truncate(self.copied.take().unwrap());
        self.at(day, 21, 0);
        let archive = self.life.archive();
        deposits::daily(&archive, day, self.all(day), &mut self.kept);
        self.happened(day, "an older copy takes the archive's place: noticed, declared, the lost day deposited again");
    }

    fn night(&mut self, day: Date) {
        self.at(day, 23, 0);
        if (day.year(), day.month(), day.day()) == (2034, 1, 1) {
            self.life.close();
            for step in [25, 400] {
                losses::killed(&self.life, &["renew"], step);
            }
            self.happened(day, "a renewal is killed twice on its way; the night goes on from there");
        }
        let archive = self.life.archive();
        let (sealed, renewed) = archive.night_work(&Actor::local()).unwrap();
        for report in [&sealed, &renewed] {
            assert_eq!(report["findings"].as_array().map(Vec::len), Some(0), "{day}: {report:#}");
        }
        let mut done = 0;
        for run in renewed["runs"].as_array().unwrap() {
            let packages = run["packages"].as_u64().unwrap();
            done += packages;
            if packages > 20 {
                let (method, digest) = (run["method"].as_str().unwrap(), run["digest"].as_str().unwrap());
                self.happened(day, &format!("{packages} packages renewed: {method}, {digest}"));
            }
        }
        // Whatever is renewed was announced by the plan of the month before, or is younger than that.
        if done > 0 {
            let soon = self.life.clock_now().checked_add(jiff::SignedDuration::from_hours(24 * TOGETHER)).unwrap();
            let announced: u64 =
                self.planned.iter().filter(|(due, _)| *due <= soon).map(|(_, packages)| packages).sum();
            let young = self.life.sealed_packages().saturating_sub(self.sealed);
            assert!(done <= announced + young, "{day}: {done} packages renewed, {announced} were announced");
        }
    }

    /// The plan, and the alarms: nothing is past its end, nothing late is kept from anybody.
    fn month(&mut self, day: Date) {
        let archive = self.life.archive();
        let now = self.life.clock_now();
        let plan = archive.renew_plan(&Actor::local()).unwrap();
        // The alarms take a while to work out: each quarter, and whenever something is late.
        let late = plan["lines"].as_array().unwrap().iter().any(|line| line["late"] == true);
        let alarms = if late || day.month() % 3 == 0 { archive.alarms(&Actor::local()).unwrap() } else { Vec::new() };
        let alarmed = alarms.iter().any(|alarm| alarm.code == Code::RenewalLate);
        self.planned.clear();
        self.sealed = self.life.sealed_packages();
        let mut packages = 0;
        let instant = |line: &Value, field: &str| line[field].as_str().map(|text| text.parse::<Timestamp>().unwrap());
        for line in plan["lines"].as_array().unwrap() {
            let count = line["packages"].as_u64().unwrap();
            packages += count;
            if let (Some(due), Some(deadline)) = (instant(line, "due"), instant(line, "deadline")) {
                self.planned.push((due, count));
                assert!(deadline > now || alarmed, "{day}: evidence is past its end, and nobody says so: {line:#}");
                assert!(line["late"] == false || plan["feasible"] == false, "{day}: {plan:#}");
                self.year.late += if line["late"] == true { count } else { 0 };
            }
            assert_eq!(line["is_due"], false, "{day}: the night left it: {line:#}");
        }
        assert_eq!(packages, self.sealed, "{day}: the plan does not know every package");
        let alarms: Vec<(Code, &str)> = alarms.iter().map(|alarm| (alarm.code, alarm.place.as_str())).collect();
        // For a month after the last log of the provider somebody asks where the next one is.
        let ended = day >= PROVIDER[1] && day.since(PROVIDER[1]).unwrap().get_days() <= 40;
        let others = alarms.iter().filter(|(code, _)| match code {
            Code::RenewalLate => false,
            Code::PecLogNotDeposited => !ended,
            // Reading every byte every ninety days would take hours here: `tests/api/rolling.rs` lives through these terms.
            Code::CheckOverdue | Code::CheckLate => false,
            _ => true,
        });
        let others: Vec<_> = others.collect();
        assert!(others.is_empty(), "{day}: {others:?}");
    }

    /// The archive is opened anew, looked through quickly, and the line of the table written.
    fn end_of_year(&mut self, day: Date) {
        self.life.close();
        let archive = self.life.archive();
        let request = CheckRequest { mode: Some("quick".into()), ..CheckRequest::default() };
        let id = archive.begin_check(&Actor::local(), &request).unwrap();
        let report = archive.check(&Actor::local(), id, &request, &|_, _| {}).unwrap();
        assert_eq!(report["outcome"], "good", "{day}: {report:#}");
        drop(archive);
        let mut row = std::mem::take(&mut self.year);
        row.year = day.year();
        row.documents = self.kept.iter().filter(|kept| kept.day.year() == day.year()).count() as u64;
        row.packages = self.life.sealed_packages() - self.table.packages();
        let (renewals, renewed) = self.life.renewals();
        row.renewals = renewals - self.table.renewals();
        row.renewed = renewed - self.table.renewed();
        row.tokens = self.life.office.made.load(Ordering::SeqCst) - self.table.tokens();
        row.bytes =
            losses::files(&self.life.path("archive")).iter().map(|path| path.metadata().map_or(0, |m| m.len())).sum();
        row.seconds = self.began.elapsed().as_secs_f64();
        self.began = Instant::now();
        say(&row.line());
        self.table.rows.push(row);
    }
}
