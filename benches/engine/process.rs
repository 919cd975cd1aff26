//! The processes that are measured, and how much memory each had at most.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Fallible;

const PROGRAM: &str = env!("CARGO_BIN_EXE_custode");
/// Most arguments of one run of a digest program: far below what the system allows.
const AT_ONCE: usize = 5000;

/// A command that has ended.
pub struct Run {
    /// From start to end.
    pub seconds: f64,
    /// Most resident memory, in bytes.
    pub peak: u64,
}

/// The kernel's own high-water mark of a process, read until it is gone; 0 where there is no `/proc`.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Watch {
    fn start(pid: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let peak = AtomicU64::new(0);
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                peak.fetch_max(high_water(pid), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
            peak.into_inner()
        });
        Self { stop, thread }
    }

    fn peak(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn high_water(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() << 10
}

/// Runs one command of the program; anything but exit 0 is an error that shows what it said.
pub fn custode(archive: &Path, args: &[&str]) -> Fallible<Run> {
    let started = Instant::now();
    let child = Command::new(PROGRAM)
        .arg("--archive")
        .arg(archive)
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{PROGRAM}: {e}"))?;
    let watch = Watch::start(child.id());
    let output = child.wait_with_output().map_err(|e| format!("{PROGRAM}: {e}"))?;
    let run = Run { seconds: started.elapsed().as_secs_f64(), peak: watch.peak() };
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        let said: String = String::from_utf8_lossy(&said).chars().take(2000).collect();
        return Err(format!("custode {}: {}\n{said}", args.join(" "), output.status));
    }
    Ok(run)
}

/// A server of an archive; killed when dropped.
pub struct Served {
    child: Child,
    watch: Option<Watch>,
}

impl Served {
    /// On return it answers.
    pub fn start(archive: &Path) -> Fallible<Self> {
        let mut child = Command::new(PROGRAM)
            .arg("--archive")
            .arg(archive)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{PROGRAM}: {e}"))?;
        let watch = Some(Watch::start(child.id()));
        let stdout = child.stdout.take();
        let served = Self { child, watch };
        let mut line = String::new();
        let read = stdout.map(|stdout| BufReader::new(stdout).read_line(&mut line));
        match read {
            Some(Ok(length)) if length > 0 => Ok(served),
            _ => Err("the server did not start".to_owned()),
        }
    }

    /// Kills it (what it acknowledged is durable, so nothing is lost) and gives its peak of memory.
    pub fn stop(mut self) -> Fallible<u64> {
        self.end();
        Ok(self.watch.take().map(Watch::peak).unwrap_or_default())
    }

    fn end(&mut self) {
        // The last reading is taken before it goes.
        std::thread::sleep(Duration::from_millis(50));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.end();
    }
}

/// Seconds that a digest program takes over these files.
pub fn digest_program(program: &str, args: &[&str], files: &[PathBuf]) -> Fallible<f64> {
    let started = Instant::now();
    for some in files.chunks(AT_ONCE) {
        let status = Command::new(program)
            .args(args)
            .args(some)
            .stdout(Stdio::null())
            .status()
            .map_err(|e| format!("{program}: {e}"))?;
        if !status.success() {
            return Err(format!("{program} ended with {status}"));
        }
    }
    Ok(started.elapsed().as_secs_f64())
}
