//! The clock of the simulation: the machine's, so many years ahead. The library takes it as its `Clock`, the real program as a
//! shift, and OpenSSL through a library of a few lines that answers `time` in its stead.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use custode::clock::Clock;
use jiff::Timestamp;

/// A clock that runs and jumps.
#[derive(Debug)]
pub struct Jumping(AtomicI64);

impl Jumping {
    pub fn at(start: Timestamp) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(start.as_millisecond() - Timestamp::now().as_millisecond())))
    }

    /// Jumps to this instant; time never goes back.
    pub fn to(&self, instant: Timestamp) {
        assert!(instant >= self.now(), "{instant} is past: it is {}", self.now());
        self.0.store(instant.as_millisecond() - Timestamp::now().as_millisecond(), Ordering::SeqCst);
    }

    /// For `CUSTODE_TEST_CLOCK_SHIFT`, never behind what the library saw.
    pub fn shift(&self) -> String {
        (self.0.load(Ordering::SeqCst).div_euclid(1000) + 1).to_string()
    }
}

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(Timestamp::now().as_millisecond() + self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// OpenSSL under this clock.
#[derive(Debug)]
pub struct OpenSsl {
    clock: Arc<Jumping>,
    library: PathBuf,
}

impl OpenSsl {
    /// Compiles the library into `folder`.
    pub fn new(folder: &Path, clock: &Arc<Jumping>) -> Self {
        let library = folder.join("clock.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/judges/clock.c");
        let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).output();
        let compiled = compiled.unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let openssl = Self { clock: Arc::clone(clock), library };
        // A clock that is not believed would make every date of the simulation wrong.
        openssl
            .must(folder, "req -x509 -newkey rsa:2048 -nodes -keyout probe.key -out probe.pem -days 1 -subj /CN=probe");
        let said = openssl.must(folder, "x509 -in probe.pem -noout -startdate");
        let year = clock.now().strftime("%Y").to_string();
        assert!(said.trim_end().ends_with(&format!("{year} GMT")), "OpenSSL does not go by the clock: {said}");
        openssl
    }

    pub fn run(&self, folder: &Path, arguments: &[&str]) -> Output {
        let mut command = Command::new("openssl");
        command.current_dir(folder).args(arguments).env("LD_PRELOAD", &self.library);
        command.env("SIMULATED_TIME", self.clock.now().as_second().to_string()).output().unwrap()
    }

    /// OpenSSL must do it; what it says.
    pub fn must(&self, folder: &Path, arguments: &str) -> String {
        let out = self.run(folder, &arguments.split(' ').collect::<Vec<_>>());
        assert!(out.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }
}
