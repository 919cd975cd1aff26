//! What the demonstration tells: numbered steps for people, or one JSON document for programs.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::cli::print::{self, say};
use crate::error::{Lang, Result};

/// The steps so far.
pub struct Story {
    lang: Lang,
    json: bool,
    steps: Vec<Map<String, Value>>,
    next: Vec<String>,
}

impl Story {
    /// An empty one.
    pub fn new(lang: Lang, json: bool) -> Self {
        Self { lang, json, steps: Vec::new(), next: Vec::new() }
    }

    /// Language of what people read.
    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// Begins a step.
    pub fn step(&mut self, name: &str, it: &str, en: &str, facts: Value) -> Result<()> {
        let mut step = Map::from_iter([("step".to_owned(), json!(name))]);
        match facts {
            Value::Null => {}
            Value::Object(fields) => step.extend(fields),
            other => drop(step.insert("facts".to_owned(), other)),
        }
        self.steps.push(step);
        let number = self.steps.len();
        self.aside("")?;
        self.aside(&format!("{number:>2}. {}", say(self.lang, it, en)))
    }

    /// Adds a fact to the step.
    pub fn fact(&mut self, name: &str, value: Value) {
        if let Some(step) = self.steps.last_mut() {
            step.insert(name.to_owned(), value);
        }
    }

    /// A line of the step, for people.
    pub fn line(&self, text: &str) -> Result<()> {
        self.aside(&format!("    {text}"))
    }

    /// A line outside of steps, for people.
    pub fn aside(&self, text: &str) -> Result<()> {
        if self.json { Ok(()) } else { print::line(text) }
    }

    /// What another command would print, for people.
    pub fn say(&self, text: impl FnOnce() -> Result<()>) -> Result<()> {
        if self.json { Ok(()) } else { text() }
    }

    /// A command worth typing next.
    pub fn next(&mut self, command: String, it: &str, en: &str) -> Result<()> {
        self.line(&format!("# {}", say(self.lang, it, en)))?;
        self.line(&command)?;
        self.next.push(command);
        Ok(())
    }

    /// Prints the JSON document, when that was asked for.
    pub fn finish(self, dir: &Path, good: bool) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        let outcome = if good { "good" } else { "bad" };
        print::json(&json!({ "outcome": outcome, "dir": dir, "steps": self.steps, "next": self.next }))
    }
}
