//! Several catalogs asked as one: what is not yet sealed, and what is.
//!
//! Invariant: give the catalog of unsealed documents **first**. A document enters the lasting one before it leaves the
//! other, so asking in that order never misses one; seen in both, the later answer (filed in a package) counts. Cursors are
//! places in one common order and stay good across the move.

use std::collections::BTreeMap;

use super::*;

/// One page over all of them.
pub fn search(catalogs: &[&dyn Catalog], query: &Query) -> Result<Page> {
    let limit = query.compile()?.limit;
    let mut merged: BTreeMap<std::cmp::Reverse<Order>, DocumentRow> = BTreeMap::new();
    let mut as_of = AsOf::default();
    let mut more = false;
    for catalog in catalogs {
        let page = catalog.search(query)?;
        more |= page.cursor.is_some();
        merged.extend(page.rows.into_iter().map(|row| (std::cmp::Reverse(Order::of(&row)), row)));
        as_of.watermark = as_of.watermark.max(page.as_of.watermark);
        for (lane, sequence) in page.as_of.sequences {
            let seen = as_of.sequences.entry(lane).or_insert(sequence);
            *seen = sequence.max(*seen);
        }
    }
    more |= merged.len() > limit;
    let rows: Vec<_> = merged.into_values().take(limit).collect();
    let cursor = rows.last().filter(|_| more).map(|row| Order::of(row).cursor());
    Ok(Page { rows, cursor, as_of })
}

/// The place of a row in every list, as a cursor: the page after it begins there, and cursors sort as places do.
pub fn cursor_of(row: &DocumentRow) -> String {
    Order::of(row).cursor()
}

/// A document by id: the answer of the last catalog that has it.
pub fn locate(catalogs: &[&dyn Catalog], id: DocumentId) -> Result<Option<DocumentRow>> {
    last(catalogs, |catalog| catalog.locate(id))
}

/// A deposit by receipt.
pub fn receipt(catalogs: &[&dyn Catalog], receipt: ReceiptId) -> Result<Option<DepositRow>> {
    last(catalogs, |catalog| catalog.receipt(receipt))
}

/// The latest deposit with this replay key or fingerprint: what is not yet sealed was accepted later than what is.
pub fn replay(catalogs: &[&dyn Catalog], key: &str) -> Result<Option<ReceiptId>> {
    let mut latest: Option<(jiff::Timestamp, Sequence, ReceiptId)> = None;
    for catalog in catalogs {
        // Between the two look-ups the deposit may move on to a later catalog, which is asked next.
        let Some(receipt) = catalog.replay(key)? else { continue };
        if let Some(row) = catalog.receipt(receipt)? {
            latest = latest.max(Some((row.accepted_at, row.sequence, receipt)));
        }
    }
    Ok(latest.map(|(_, _, receipt)| receipt))
}

fn last<T>(catalogs: &[&dyn Catalog], ask: impl Fn(&dyn Catalog) -> Result<Option<T>>) -> Result<Option<T>> {
    let mut found = None;
    for catalog in catalogs {
        found = ask(*catalog)?.or(found);
    }
    Ok(found)
}
