//! Work that several solves may ask for at once, and that is done once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::Cancel;
use crate::error::{Error, Result};

/// How often a waiter looks whether it was told to stop.
const POLL: Duration = Duration::from_millis(20);

/// Cells by name.
#[derive(Debug)]
pub struct Cells<K, V, E> {
    cells: Mutex<HashMap<K, Arc<Cell<V, E>>>>,
}

impl<K: Eq + Hash, V, E> Cells<K, V, E> {
    /// Returns no cells.
    pub fn new() -> Self {
        Self { cells: Mutex::new(HashMap::new()) }
    }

    /// Returns the cell called `name`, empty when it is new.
    pub fn get(&self, name: K) -> Arc<Cell<V, E>> {
        let cell = || Arc::new(Cell { state: Mutex::new(State::Idle), changed: Condvar::new() });
        locked(&self.cells).entry(name).or_insert_with(cell).clone()
    }
}

/// A place for the outcome of one piece of work.
#[derive(Debug)]
pub struct Cell<V, E> {
    state: Mutex<State<V, E>>,
    changed: Condvar,
}

#[derive(Debug)]
enum State<V, E> {
    Idle,
    /// Someone works; the number tells this try from others.
    Busy(Arc<Try<E>>),
    Done(Arc<V>),
}

/// One try at the work, with what those who wait for it get when it fails.
#[derive(Debug)]
struct Try<E> {
    failure: Mutex<Option<E>>,
}

/// What [`Cell::claim`] found.
pub enum Claim<'a, V, E: Clone> {
    /// The work is done.
    Done(Arc<V>),
    /// The work is the caller's now.
    Mine(Turn<'a, V, E>),
    /// Someone else tried just now, and failed.
    Failed(E),
}

/// The right to do the work. Dropped without an outcome, the next one may try.
pub struct Turn<'a, V, E> {
    cell: &'a Cell<V, E>,
    attempt: Arc<Try<E>>,
    open: bool,
}

impl<V, E: Clone> Cell<V, E> {
    /// Returns the outcome when there is one already.
    pub fn done(&self) -> Option<Arc<V>> {
        match &*locked(&self.state) {
            State::Done(value) => Some(value.clone()),
            _ => None,
        }
    }

    /// Returns whether someone works on it.
    pub fn is_busy(&self) -> bool {
        matches!(&*locked(&self.state), State::Busy(_))
    }

    /// Puts an outcome in that cost nothing; returns whether it is the first one.
    pub fn offer(&self, value: &Arc<V>) -> bool {
        let mut state = locked(&self.state);
        let free = matches!(&*state, State::Idle);
        if free {
            *state = State::Done(value.clone());
        }
        free
    }

    /// Returns the outcome, the right to make it, or waits while someone else does.
    ///
    /// # Errors
    /// [`Error::Cancelled`] when the waiter is told to stop.
    pub fn claim(&self, cancel: &Cancel) -> Result<Claim<'_, V, E>> {
        let mut state = locked(&self.state);
        loop {
            let attempt = match &*state {
                State::Done(value) => return Ok(Claim::Done(value.clone())),
                State::Idle => {
                    let attempt = Arc::new(Try { failure: Mutex::new(None) });
                    *state = State::Busy(attempt.clone());
                    return Ok(Claim::Mine(Turn { cell: self, attempt, open: true }));
                }
                State::Busy(attempt) => attempt.clone(),
            };
            if cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let waited = self.changed.wait_timeout(state, POLL);
            state = waited.unwrap_or_else(|error| error.into_inner()).0;
            if let Some(failure) = locked(&attempt.failure).clone() {
                return Ok(Claim::Failed(failure));
            }
        }
    }
}

impl<V, E> Turn<'_, V, E> {
    /// Ends the work with an outcome.
    pub fn done(mut self, value: Arc<V>) {
        self.end(State::Done(value));
    }

    /// Ends the work without one; those who wait get `failure`.
    pub fn failed(mut self, failure: E) {
        *locked(&self.attempt.failure) = Some(failure);
        self.end(State::Idle);
    }

    fn end(&mut self, state: State<V, E>) {
        self.open = false;
        *locked(&self.cell.state) = state;
        self.cell.changed.notify_all();
    }
}

impl<V, E> Drop for Turn<'_, V, E> {
    fn drop(&mut self) {
        if self.open {
            self.end(State::Idle);
        }
    }
}

/// Locks a mutex whose content no panic can leave half-changed.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|error| error.into_inner())
}

/// A number of permits, for work that should not all be done at once.
#[derive(Debug)]
pub struct Slots {
    free: Mutex<usize>,
    returned: Condvar,
}

impl Slots {
    /// Returns `count` permits.
    pub fn new(count: usize) -> Self {
        Self { free: Mutex::new(count), returned: Condvar::new() }
    }

    /// Takes a permit, waiting until there is one.
    ///
    /// # Errors
    /// [`Error::Cancelled`] when the waiter is told to stop.
    pub fn take(&self, cancel: &Cancel) -> Result<Slot<'_>> {
        let mut free = locked(&self.free);
        loop {
            if cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            if *free > 0 {
                *free -= 1;
                return Ok(Slot { slots: self });
            }
            free = self.returned.wait_timeout(free, POLL).unwrap_or_else(|error| error.into_inner()).0;
        }
    }
}

/// A permit; given back when dropped.
#[derive(Debug)]
pub struct Slot<'a> {
    slots: &'a Slots,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *locked(&self.slots.free) += 1;
        self.slots.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn work_asked_for_at_once_is_done_once() {
        let cells: Cells<&str, usize, String> = Cells::new();
        let runs = AtomicUsize::new(0);
        let ask = || match cells.get("work").claim(&Cancel::new()).unwrap() {
            Claim::Done(value) => *value,
            Claim::Mine(turn) => {
                let run = runs.fetch_add(1, Ordering::SeqCst) + 1;
                turn.done(Arc::new(run));
                run
            }
            Claim::Failed(_) => unreachable!(),
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            assert!(threads.into_iter().all(|thread| thread.join().unwrap() == 1));
        });
    }

    #[test]
    fn those_who_wait_get_the_failure_and_the_next_one_may_try() {
        let cells: Cells<&str, usize, String> = Cells::new();
        let cell = cells.get("work");
        let Claim::Mine(turn) = cell.claim(&Cancel::new()).unwrap() else { panic!() };
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| match cell.claim(&Cancel::new()).unwrap() {
                Claim::Failed(failure) => failure,
                Claim::Mine(_) => "came too late".into(),
                Claim::Done(_) => panic!(),
            });
            turn.failed("broken".into());
            assert!(["broken", "came too late"].contains(&waiter.join().unwrap().as_str()));
        });
        assert!(matches!(cell.claim(&Cancel::new()).unwrap(), Claim::Mine(_)));
    }

    #[test]
    fn a_cancelled_waiter_stops_waiting() {
        let cells: Cells<&str, usize, String> = Cells::new();
        let cell = cells.get("work");
        let _turn = cell.claim(&Cancel::new()).unwrap();
        let cancel = Cancel::new();
        cancel.cancel();
        assert!(matches!(cell.claim(&cancel), Err(Error::Cancelled)));
        let slots = Slots::new(0);
        assert!(matches!(slots.take(&cancel), Err(Error::Cancelled)));
    }
}
