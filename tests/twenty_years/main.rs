//! Twenty years of an archive in minutes: every day of them, on a clock that jumps.
//!
//! Documents come every day, of every class at least every fortnight, and are sealed by the closing rules; for half a year every
//! class comes every day, and the holder is a provider of PEC, whose logs are sealed alone; every night does what the product does at night; time-stamping
//! units and roots, the organisation's seal, the archive's own key and a digest algorithm come to their end and are replaced; a
//! disk is lost, programs are killed. Each month nothing may be past its end unannounced. At the end every document must
//! verify: here, and before judges that have never heard of Custode. `story` is the calendar: what is to happen one day (a hold,
//! a disposal) goes there; `verdicts` is the last day.
//!
//! `CUSTODE_TWENTY_YEARS=full` deposits every class every day, with a provider's log sealed alone each day, for twenty
//! years: hours.

mod clock;
mod deposits;
mod evidence;
mod life;
mod losses;
mod negative;
mod office;
mod signers;
mod story;
mod table;
mod verdicts;

#[path = "../support/bouncy_castle.rs"]
mod bouncy_castle;
#[path = "../support/judges.rs"]
mod judges;
#[path = "../support/second_verifier.rs"]
mod second_verifier;

#[test]
fn after_twenty_years_every_document_verifies() {
    if !judges::present(&["openssl", "cc"]) {
        return;
    }
    let mut story = story::Story::begin();
    story.live();
    verdicts::last_day(&mut story);
    negative::control(&mut story);
    story.table.print();
}
