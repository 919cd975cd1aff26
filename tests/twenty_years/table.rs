//! What the simulation says at its end.

use std::io::Write as _;

use jiff::civil::Date;

/// A line to whoever waits, at once: what tests print is kept from them until one fails.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
}

/// A year.
#[derive(Debug, Default)]
pub struct Row {
    pub year: i16,
    pub documents: u64,
    pub packages: u64,
    pub tokens: u64,
    /// Renewals, and packages that got one.
    pub renewals: u64,
    pub renewed: u64,
    /// Packages of which a month's plan said that they would be late.
    pub late: u64,
    /// Size of the archive at its end.
    pub bytes: u64,
    /// Time it took.
    pub seconds: f64,
}

impl Row {
    pub fn line(&self) -> String {
        let mib = self.bytes as f64 / f64::from(1 << 20);
        format!(
            "{:5} {:10} {:9} {:7} {:9} {:8} {:5} {mib:9.1} {:8.1}",
            self.year, self.documents, self.packages, self.tokens, self.renewals, self.renewed, self.late, self.seconds
        )
    }
}

#[derive(Debug, Default)]
pub struct Table {
    pub rows: Vec<Row>,
    pub events: Vec<(Date, String)>,
    /// Who judged what at the end.
    pub judged: Vec<(String, u64)>,
}

impl Table {
    pub fn packages(&self) -> u64 {
        self.rows.iter().map(|row| row.packages).sum()
    }

    pub fn tokens(&self) -> u64 {
        self.rows.iter().map(|row| row.tokens).sum()
    }

    pub fn renewals(&self) -> u64 {
        self.rows.iter().map(|row| row.renewals).sum()
    }

    pub fn renewed(&self) -> u64 {
        self.rows.iter().map(|row| row.renewed).sum()
    }

    pub fn print(&self) {
        say("\n year  documents  packages  tokens  renewals  renewed  late       MiB  seconds");
        for row in &self.rows {
            say(&row.line());
        }
        let sum = |of: fn(&Row) -> u64| self.rows.iter().map(of).sum::<u64>();
        let (documents, late) = (sum(|row| row.documents), sum(|row| row.late));
        let (packages, tokens, renewals, renewed) = (self.packages(), self.tokens(), self.renewals(), self.renewed());
        let seconds: f64 = self.rows.iter().map(|row| row.seconds).sum();
        say(&format!(
            "  all {documents:10} {packages:9} {tokens:7} {renewals:9} {renewed:8} {late:5} {:9} {seconds:8.1}",
            ""
        ));
        say("");
        for (day, what) in &self.events {
            say(&format!("{day}  {what}"));
        }
        say("");
        for (who, count) in &self.judged {
            say(&format!("{count:8}  {who}"));
        }
    }
}
