//! `[trust]`: whom the archive believes when it judges signatures of documents.

use std::path::Path;

use toml::Spanned;

use super::locate::Problems;
use super::raw;
use crate::evidence::trust::Sources;

pub(super) fn trust(table: Option<Spanned<raw::Trust>>, problems: &mut Problems<'_>, archive: &Path) -> Sources {
    let table = table.map(Spanned::into_inner).unwrap_or_default();
    let mut paths = |list: &Option<Vec<Spanned<String>>>, key: &str| {
        let list = list.as_deref().unwrap_or_default();
        let accepted = |text: &str| {
            let path = archive.join(text);
            let fits = !text.trim().is_empty() && path.exists();
            fits.then_some(path).ok_or_else(|| "expected a file or folder that exists".to_owned())
        };
        list.iter().filter_map(|item| problems.parse(item, key, accepted)).collect()
    };
    Sources {
        pec: paths(&table.pec, "trust.pec"),
        signatures: paths(&table.signatures, "trust.signatures"),
        time_stamps: paths(&table.time_stamps, "trust.time_stamps"),
        trusted_lists: paths(&table.trusted_lists, "trust.trusted_lists"),
        trusted_list_signers: paths(&table.trusted_list_signers, "trust.trusted_list_signers"),
        pec_directory: paths(&table.pec_directory, "trust.pec_directory"),
        revocation: paths(&table.revocation, "trust.revocation"),
    }
}
