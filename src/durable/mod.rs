//! What survives a power cut. Nobody else calls `fsync`, `rename`, `link` or `unlink` (invariant I8).
//!
//! Each function says what is durable when it returns, and its comment gives the sequence of system calls. A directory's
//! descriptor is opened *before* the name in it changes and synced through that same descriptor, or a write error on the
//! directory would be lost. `fsync` is never retried: after an error the kernel may have dropped the dirty pages, and a
//! second call would lie.
//!
//! Everything here stands on the primitive operations of `os`. In debug builds these can be stopped or made to fail
//! (`fault`: real processes, by the environment) and written down or made to fail (`trial`: the simulated disk of
//! `tests/powercut`); release builds call the system and nothing else. Two databases write their own files and are outside
//! of it: sled and tantivy hold the catalog, which is made again from the plain files.

mod appending;
#[cfg(debug_assertions)]
mod fault;
mod lock;
mod names;
mod new_file;
mod open;
mod os;
#[cfg(test)]
mod tests;
#[cfg(debug_assertions)]
pub mod trial;
mod whole;
mod writing;

pub use appending::Appending;
pub use lock::{lock, overwrite};
pub use names::{create_dir_all, discard, remove_dir_all, remove_file, rename, sync_dir, sync_file, sync_tree};
pub use new_file::NewFile;
pub use open::{
    must_be_secret, only_ours, open_linked, open_plain, read_linked, read_linked_text, read_plain, read_plain_text,
};
pub use whole::{replace, write_new};
pub use writing::{Writing, copy_new};

/// Mode of what is never written again.
pub const MODE_SEALED: u32 = 0o444;
/// Mode of secrets.
pub const MODE_SECRET: u32 = 0o600;
/// Mode of everything else an archive holds.
pub const MODE_PLAIN: u32 = 0o640;
/// Mode of folders.
pub const MODE_DIR: u32 = 0o750;
