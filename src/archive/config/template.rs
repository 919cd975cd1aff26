//! The commented `custode.toml` that `custode init` writes.
//!
//! Invariant: no placeholder is ever taken for the truth. In a trial archive what is not known says "PROVA"; in a
//! production archive it is left out, and Custode does not start until it is there.

use super::agents::AgentId;
use super::profile::Profile;

/// What the trial template writes instead of names and documents that nobody gave; a production archive refuses it.
pub(super) const TRIAL_MARK: &str = "PROVA: ";

const TEXT: &str = include_str!("custode.toml");

/// What `custode init` knows.
#[derive(Debug, Clone)]
pub struct Template {
    /// Decides how what is missing is written.
    pub profile: Profile,
    /// `archive.name`
    pub name: String,
    /// `archive.origin`; the name when not given.
    pub origin: Option<String>,
    /// `archive.keys`; `../<name>.keys` when not given.
    pub keys: Option<String>,
    /// `--holder`
    pub holder: Option<String>,
    /// `--holder-id`
    pub holder_id: Option<AgentId>,
    /// `--manager`
    pub manager: Option<String>,
    /// `--tsa`, in order.
    pub tsa: Vec<String>,
    /// `--tsa-anchor`, in order.
    pub anchors: Vec<String>,
}

impl Template {
    /// A name that `archive.name` accepts, made from a folder's name.
    pub fn name_from(folder: &str) -> String {
        let lower = folder.to_lowercase();
        let kept: Vec<&str> =
            lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect();
        let mut name = kept.join("-");
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            name.insert_str(0, if name.is_empty() { "archive" } else { "archive-" });
        }
        name.truncate(64);
        name.trim_end_matches('-').to_owned()
    }

    /// The text of `custode.toml`.
    pub fn render(&self) -> String {
        let holder = self.holder.clone().or_else(|| self.trial("titolare non indicato"));
        let named = |name: &Option<String>| match name {
            Some(name) => format!("name = {}", quote(name)),
            None => "#name = \"\"".to_owned(),
        };
        let manager = match self.manager.as_deref().map(str::trim).and_then(|name| name.split_once(char::is_whitespace))
        {
            Some((first, last)) => format!("first_name = {}\nlast_name = {}", quote(first), quote(last.trim())),
            None => named(&self.manager.clone().or_else(|| self.trial("responsabile non indicato"))),
        };
        let documents = match self.trial("senza valore legale, nessun atto") {
            Some(title) => format!("documents = [{{ title = {} }}]", quote(&title)),
            None => "#documents = []".to_owned(),
        };
        let authorities: Vec<String> =
            self.tsa.iter().map(|url| format!("[[tsa.authorities]]\nurl = {}\n{AUTHORITY}", quote(url))).collect();
        let authorities = if authorities.is_empty() {
            let example = format!("[[tsa.authorities]]\nurl = \"https://…\"\n{AUTHORITY}");
            example.lines().map(|line| format!("# {}", line.trim_start_matches("# "))).collect::<Vec<_>>().join("\n")
        } else {
            authorities.join("\n\n")
        };
        let anchors: Vec<String> = self.anchors.iter().map(|path| quote(path)).collect();
        let anchors =
            if anchors.is_empty() { "#anchors = []".to_owned() } else { format!("anchors = [{}]", anchors.join(", ")) };
        let id = quote(self.holder_id.as_ref().map_or("", AgentId::as_str));
        let origin = self.origin.as_ref().unwrap_or(&self.name);
        let keys = self.keys.clone().unwrap_or_else(|| format!("../{}.keys", self.name));
        let values = [
            ("{{name}}", quote(&self.name)),
            ("{{origin}}", quote(origin)),
            ("{{keys}}", quote(&keys)),
            ("{{holder_name}}", named(&holder)),
            ("{{submitter_name}}", named(&holder)),
            ("{{signer_name}}", named(&holder)),
            ("{{manager_name}}", manager),
            ("{{holder_documents}}", documents.clone()),
            ("{{submitter_documents}}", documents.clone()),
            ("{{signer_documents}}", documents),
            ("{{holder_id}}", id),
            ("{{anchors}}", anchors),
            ("{{authorities}}", authorities),
        ];
        // One pass, so that a value that looks like a placeholder stays a value.
        let mut out = String::with_capacity(TEXT.len() + 1024);
        let mut rest = TEXT;
        while let Some(at) = rest.find("{{") {
            let (before, here) = rest.split_at(at);
            out.push_str(before);
            match values.iter().find(|(key, _)| here.starts_with(key)) {
                Some((key, value)) => {
                    out.push_str(value);
                    rest = &here[key.len()..];
                }
                None => {
                    out.push_str("{{");
                    rest = &here[2..];
                }
            }
        }
        out.push_str(rest);
        out
    }

    fn trial(&self, what: &str) -> Option<String> {
        (self.profile == Profile::Trial).then(|| format!("{TRIAL_MARK}{what}"))
    }
}

const AUTHORITY: &str = "# policy = \"0.4.0.2023.1.1\"        the policy asked for, when the authority has several\n\
                         # username = \"…\"                  with one of the two that follow\n\
                         # password_file = \"…\"\n\
                         # password_env = \"…\"\n\
                         # timeout = \"20s\"";

/// A TOML basic string.
fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
