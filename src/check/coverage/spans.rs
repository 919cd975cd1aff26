//! What is known of the numbers of a series, by stretches.
//!
//! Invariant: stretches do not overlap, and two that touch differ; so a series of a million packages that were all looked at in
//! one night is one stretch, and what is known of it does not grow with it.

use std::collections::BTreeMap;

/// Values by stretches of numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spans<T>(BTreeMap<u64, (u64, T)>);

impl<T> Default for Spans<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Copy + PartialEq> Spans<T> {
    /// What is known of one number.
    pub fn get(&self, number: u64) -> Option<T> {
        let (_, (last, value)) = self.0.range(..=number).next_back()?;
        (*last >= number).then_some(*value)
    }

    /// The stretches, ascending: first, last, value.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64, T)> {
        self.0.iter().map(|(first, (last, value))| (*first, *last, *value))
    }

    /// How many stretches there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Changes what is known of every number from `first` to `last`, both included.
    pub fn update(&mut self, first: u64, last: u64, change: impl Fn(Option<T>) -> T) {
        self.cut(first);
        if let Some(after) = last.checked_add(1) {
            self.cut(after);
        }
        let inside: Vec<_> = self.0.range(first..=last).map(|(first, (last, value))| (*first, *last, *value)).collect();
        let mut next = Some(first);
        for (from, to, value) in inside {
            if let Some(gap) = next.filter(|next| *next < from) {
                self.0.insert(gap, (from - 1, change(None)));
            }
            self.0.insert(from, (to, change(Some(value))));
            next = to.checked_add(1);
        }
        if let Some(gap) = next.filter(|next| *next <= last) {
            self.0.insert(gap, (last, change(None)));
        }
        self.merge(first, last);
    }

    /// Makes a stretch begin at `number`, when one goes over it.
    fn cut(&mut self, number: u64) {
        let Some((_, over)) = self.0.range_mut(..number).next_back() else { return };
        let (last, value) = *over;
        if last >= number {
            over.0 = number - 1;
            self.0.insert(number, (last, value));
        }
    }

    /// Joins equal stretches that touch, from the one before `first` to the one after `last`.
    fn merge(&mut self, first: u64, last: u64) {
        let start = self.0.range(..first).next_back().map_or(first, |(start, _)| *start);
        let keys: Vec<u64> = self.0.range(start..=last.saturating_add(1)).map(|(start, _)| *start).collect();
        let mut open: Option<u64> = None;
        for key in keys {
            let Some((end, value)) = self.0.get(&key).copied() else { continue };
            match open.and_then(|open| self.0.get_mut(&open)) {
                Some(before) if before.0.checked_add(1) == Some(key) && before.1 == value => {
                    before.0 = end;
                    self.0.remove(&key);
                }
                _ => open = Some(key),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_know_what_a_table_of_every_number_knows() {
        let mut spans = Spans::default();
        let mut table = [None; 60];
        let mut seed = 7_u64;
        for round in 0..400 {
            let mut next = || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 33) % 60
            };
            let (a, b, value) = (next(), next(), next() % 3);
            let (first, last) = (a.min(b), a.max(b));
            let change = |old: Option<u64>| old.map_or(value, |old| (old + value) % 3);
            spans.update(first, last, change);
            table[first as usize..=last as usize].iter_mut().for_each(|known| *known = Some(change(*known)));
            for (number, known) in table.iter().enumerate() {
                assert_eq!(spans.get(number as u64), *known, "{number} in round {round}");
            }
            let list: Vec<_> = spans.iter().collect();
            assert!(list.windows(2).all(|two| two[0].1 < two[1].0), "{list:?}");
            assert!(list.windows(2).all(|two| two[0].1 + 1 < two[1].0 || two[0].2 != two[1].2), "{list:?}");
        }
    }

    #[test]
    fn a_million_numbers_one_by_one_are_one_stretch() {
        let mut spans = Spans::default();
        (1..=1_000_000).for_each(|number| spans.update(number, number, |_| ()));
        assert_eq!(spans.iter().collect::<Vec<_>>(), [(1, 1_000_000, ())]);
        spans.update(0, u64::MAX, |_| ());
        assert_eq!((spans.len(), spans.get(u64::MAX)), (1, Some(())));
    }
}
