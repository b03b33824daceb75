//! What local directories looked like when they were last read.

use rusqlite::{OptionalExtension, params};

use super::Store;
use crate::error::Result;

impl Store {
    /// Returns what [`Store::put_scan`] was last given for `directory`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn scan(&self, directory: &[u8]) -> Result<Option<Vec<u8>>> {
        self.db(|db| {
            db.prepare_cached("SELECT entries FROM scans WHERE directory = ?1")?
                .query_row([directory], |row| row.get(0))
                .optional()
        })
    }

    /// Remembers `entries` for `directory`.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(crate) fn put_scan(&self, directory: &[u8], entries: &[u8]) -> Result<()> {
        self.db(|db| {
            db.prepare_cached("INSERT OR REPLACE INTO scans VALUES (?1, ?2)")?
                .execute(params![directory, entries])
        })?;
        Ok(())
    }
}
