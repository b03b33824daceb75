//! Which results survive a crash of the machine.
//!
//! Layers are written without `fsync`: a build that waits for the disk at each step is several times slower.
//! Instead each result carries the boot it was made in and whether the disk is known to have it. While a
//! build goes on for more than a few seconds, a thread has the kernel write everything out (`syncfs`) and
//! marks what was there before. A result of an earlier boot without the mark is forgotten when the store
//! is opened, for its layer may have holes; what it stands for is simply built again. A killed process loses
//! nothing, since the kernel still has its writes.

use std::fs::File;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, OnceLock, Weak};
use std::time::Duration;

use rusqlite::params;

use super::{Inner, Store};
use crate::error::{IoContext, Result};

/// How long results gather before the disk is asked for them.
const PERIOD: Duration = Duration::from_secs(5);

/// The thread that makes results durable; started by the first result.
#[derive(Debug, Default)]
pub struct Syncer {
    /// Dropped with the store, which ends the thread.
    alive: Mutex<Option<Sender<()>>>,
}

impl Syncer {
    /// Has the results so far made durable, some time later, if the store is still open then.
    pub fn request(&self, store: &Store) {
        // Only ever replaced as a whole.
        let mut alive = self.alive.lock().unwrap_or_else(|error| error.into_inner());
        if alive.is_some() {
            return;
        }
        let (sender, receiver) = channel();
        let inner = std::sync::Arc::downgrade(&store.inner);
        let thread = std::thread::Builder::new().name("store-sync".into());
        if thread.spawn(move || run(&inner, &receiver)).is_ok() {
            *alive = Some(sender);
        }
    }
}

fn run(inner: &Weak<Inner>, stop: &Receiver<()>) {
    while stop.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
        let Some(inner) = inner.upgrade() else { return };
        // A failure leaves results without the mark, which is the safe side.
        let _ = Store { inner }.make_durable();
    }
}

impl Store {
    /// Has the disk take everything that results so far consist of.
    ///
    /// # Errors
    /// When the file system or the database cannot be written.
    fn make_durable(&self) -> Result<()> {
        let last: Option<i64> = self.db(|db| {
            db.prepare_cached("SELECT max(sequence) FROM results WHERE durable = 0")?
                .query_row([], |row| row.get(0))
        })?;
        let Some(last) = last else { return Ok(()) };
        let root = File::open(self.root()).at("open", self.root())?;
        rustix::fs::syncfs(&root).at("write out", self.root())?;
        self.db(|db| {
            db.execute(
                "UPDATE results SET durable = 1 WHERE durable = 0 AND sequence <= ?1 AND boot = ?2",
                params![last, boot_id()],
            )
        })?;
        Ok(())
    }

    /// Forgets results that an earlier boot left without the mark; returns whether there were any.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub(super) fn forget_lost_results(&self) -> Result<bool> {
        let lost: bool = self.db(|db| {
            db.query_row(
                "SELECT EXISTS (SELECT 1 FROM results WHERE durable = 0 AND boot <> ?1)",
                [boot_id()],
                |row| row.get(0),
            )
        })?;
        if lost {
            self.db(|db| db.execute("DELETE FROM results WHERE durable = 0 AND boot <> ?1", [boot_id()]))?;
        }
        Ok(lost)
    }
}

/// Returns what names this boot of the machine.
pub fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map(|id| id.trim().to_owned())
            .unwrap_or_default()
    })
}
