//! A cell of the table: one kind of damage to one kind of component, in one or several variants.

use super::stand::Stand;

/// What is done to a stand. It may be done to several stands at once.
pub type Act = Box<dyn Fn(&mut Stand) + Send + Sync>;

/// One way of doing a damage.
pub struct Variant {
    /// File and position, for whoever reads that it was not found.
    pub what: String,
    pub act: Act,
}

/// How a cell is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Read where it lies; opening is tried on the first variant.
    AtRest,
    /// Only an opened archive looks at it.
    Opened,
    /// With the checkpoint that somebody kept.
    Kept,
}

/// A cell.
pub struct Cell {
    pub component: &'static str,
    pub damage: &'static str,
    pub look: Look,
    /// Places that say as well where the damage is: what contradicts it.
    pub also: Vec<String>,
    /// The first is checked with the real program, and says what stands in the table.
    pub variants: Vec<Variant>,
    /// At random places: they must be found, and say nothing in the table, which would differ each time.
    pub random: Vec<Variant>,
}

impl Cell {
    pub fn new(component: &'static str, damage: &'static str, look: Look) -> Self {
        Self { component, damage, look, also: Vec::new(), variants: Vec::new(), random: Vec::new() }
    }

    /// With one more variant.
    pub fn with(mut self, what: impl Into<String>, act: impl Fn(&mut Stand) + Send + Sync + 'static) -> Self {
        self.variants.push(Variant { what: what.into(), act: Box::new(act) });
        self
    }

    /// A name below this place locates it too.
    pub fn or_at(mut self, place: &str) -> Self {
        self.also.push(place.to_owned());
        self
    }

    /// With one more variant at a random place.
    pub fn at_random(mut self, what: impl Into<String>, act: impl Fn(&mut Stand) + Send + Sync + 'static) -> Self {
        self.random.push(Variant { what: what.into(), act: Box::new(act) });
        self
    }
}
