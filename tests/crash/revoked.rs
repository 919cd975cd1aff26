//! Stopped at every durable step of sealing, and revocation switched on before the next start: what a package carries of it is made
//! before the run of the package is fixed, so the copy that may be in the vault already is never contradicted.

use custode::corpus::{Container, Fate, Format, Generator, Options};

use super::sandbox::{Sandbox, aborted, text};
use super::sealing::each_step;

#[test]
fn what_was_copied_is_not_contradicted_by_a_setting_that_came_later() {
    let template = Sandbox::new();
    let mut generator = Generator::new(3, Options::default()).unwrap();
    let invoice = generator.invoice_case_with(Format::Fpa12, Container::Der, Fate::Delivered).unwrap().remove(0);
    let path = template.path(&invoice.name);
    std::fs::write(&path, &invoice.bytes).unwrap();
    template.json(&["deposit", "--class", "invoice", &path.display().to_string()]);
    let steps = each_step(7, |step| {
        let sandbox = template.twin();
        let output = sandbox.run_with(&["seal"], "CUSTODE_TEST_ABORT_AT", &step.to_string());
        let settings = sandbox.root().join("custode.toml");
        let before = std::fs::read_to_string(&settings).unwrap();
        // Nobody answers there.
        let after = before.replace("#hosts = []", "hosts = [\"127.0.0.1:9\"]");
        assert_ne!(before, after);
        std::fs::write(&settings, after).unwrap();
        let sealed = sandbox.run(&["seal"]);
        assert!(sealed.status.success(), "stopped at step {step}: {}", text(&sealed));
        assert_eq!(sandbox.json(&["check"])["outcome"], "good", "stopped at step {step}");
        let packages = std::fs::read_dir(sandbox.root().join("packages/invoice")).unwrap().count();
        assert_eq!(packages, 1, "stopped at step {step}");
        aborted(&output)
    });
    assert!(steps > 30, "only {steps} steps: something is no longer counted");
}
